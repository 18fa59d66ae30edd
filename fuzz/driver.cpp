// Runs a fuzz target without libFuzzer: a small mutator whose inputs are a function of the seed.
//
//   TARGET [--seconds S] [--seed N]   mutates the target's seeds for S seconds
//   TARGET --write-seeds DIR          writes the seeds, a corpus for libFuzzer
//   TARGET FILE…                      runs the files, as they are
//
// An input that crashes, is refused with something else than an input error, or takes more than ten
// seconds is written to crash.bin in the working folder.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <csignal>
#include <cstring>
#include <random>

#include "alambic/base/files.h"
#include "fuzz/fuzz.h"

namespace {

using alambic::fs::path;
using Clock = std::chrono::steady_clock;

constexpr unsigned max_seconds = 10;   // for one input
constexpr size_t max_bytes = 1 << 16;  // of an input
std::string input;                     // the running one, for the signal handler

extern "C" void save_input(int signal) {
  const int file = ::open("crash.bin", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const bool saved =
      file >= 0 && ::write(file, input.data(), input.size()) == static_cast<ssize_t>(input.size());
  constexpr std::string_view good = "the input is in crash.bin\n", bad = "crash.bin: not written\n";
  const std::string_view text = saved ? good : bad;
  if (::write(STDERR_FILENO, text.data(), text.size()) < 0) ::_exit(1);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed), seeds_(alambic::fuzz_seeds()) {}

  std::string next() {
    std::string text = any();
    const size_t count = 1 + below(1 + below(8));
    // A text whose numbers alone change is still taken, and is computed with.
    const bool numbers_only = below(4) == 0;
    for (size_t i = 0; i < count; ++i) {
      numbers_only ? number(text, below(text.size() + 1)) : mutate(text);
    }
    if (text.size() > max_bytes) text.resize(max_bytes);
    return text;
  }

 private:
  size_t below(size_t bound) { return bound == 0 ? 0 : random_() % bound; }
  const std::string& any() { return seeds_[below(seeds_.size())]; }

  // Bytes of `text` from a random place on.
  std::string piece(const std::string& text) {
    const size_t begin = below(text.size());
    return text.substr(begin, 1 + below(below(64) == 0 ? text.size() : 16));
  }

  void mutate(std::string& text) {
    const size_t at = below(text.size() + 1);
    switch (below(9)) {
      case 0:
        text.insert(at, 1, static_cast<char>(random_()));
        break;
      case 1:
        text.erase(at, 1 + below(16));
        break;
      case 2:
        text.insert(at, piece(any()));
        break;
      case 3:
        text.insert(at, piece(text));
        break;
      case 4:
        text.resize(at);
        break;
      case 5:
        overwrite(text, at);
        break;
      case 6:
        number(text, at);
        break;
      case 7:
        repeat(text, at);
        break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ 1 << below(8));
    }
  }

  // An integer at which sums and products overflow, in one to eight bytes.
  void overwrite(std::string& text, size_t at) {
    constexpr std::array<uint64_t, 12> edges = {0,
                                                1,
                                                0x7f,
                                                0x80,
                                                0xff,
                                                0x7fff,
                                                0xffff,
                                                0x7fffffff,
                                                0x80000000,
                                                0xffffffff,
                                                0x7fffffffffffffff,
                                                0xffffffffffffffff};
    const uint64_t value = edges[below(edges.size())];
    const size_t bytes = std::min<size_t>(size_t{1} << below(4), text.size() - at);
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(text.data() + at, &value, bytes);
  }

  // The same for a number in digits, where the next one stands.
  void number(std::string& text, size_t at) {
    constexpr std::array edges = {"0",
                                  "1",
                                  "-1",
                                  "2147483647",
                                  "-2147483648",
                                  "4294967296",
                                  "1e999",
                                  "0.5",
                                  "65536",  // 2^50, 2^62, 2^63 and 2^64, from both sides
                                  "1125899906842624",
                                  "-1125899906842624",
                                  "4611686018427387903",
                                  "4611686018427387904",
                                  "-4611686018427387904",
                                  "9223372036854775806",
                                  "9223372036854775807",
                                  "-9223372036854775807",
                                  "9223372036854775808",
                                  "-9223372036854775808",
                                  "18446744073709551615",
                                  "18446744073709551616"};
    const size_t begin = text.find_first_of("0123456789", at);
    if (begin == std::string::npos) return;
    const size_t end = std::min(text.find_first_not_of("0123456789", begin), text.size());
    text.replace(begin, end - begin, edges[below(edges.size())]);
  }

  void repeat(std::string& text, size_t at) {
    const std::string one = text.substr(at, 1 + below(4));
    const size_t count = size_t{1} << below(12);
    std::string all;
    for (size_t i = 0; i < count; ++i) all += one;
    text.insert(at, all);
  }

  std::mt19937_64 random_;
  std::vector<std::string> seeds_;
};

double run(std::string text) {
  input = std::move(text);
  ::alarm(max_seconds);
  const auto began = Clock::now();
  // A copy of exactly this length, so that reading beyond it is seen.
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  return std::chrono::duration<double>(Clock::now() - began).count();
}

int fuzz(double seconds, uint64_t seed) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  double longest = 0;
  int64_t count = 0;
  for (const std::string& text : alambic::fuzz_seeds()) longest = std::max(longest, run(text));
  if (alambic::accepted == 0) {
    alambic::say("error: the target's own seeds are refused");
    return 1;
  }
  Mutator mutator(seed);
  for (; Clock::now() < end; ++count) longest = std::max(longest, run(mutator.next()));
  alambic::say("seed {}: {} inputs, {} taken, the longest in {:.0f} ms", seed, count,
               alambic::accepted, longest * 1e3);
  return 0;
}

int write_seeds(const path& folder) {
  alambic::fs::create_directories(folder);
  size_t i = 0;
  for (const std::string& seed : alambic::fuzz_seeds()) {
    alambic::write_file(folder / std::to_string(i++), seed);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // ASan's own handlers stay for the others: they say where it crashed, then abort.
  for (const int signal : {SIGABRT, SIGALRM}) ::signal(signal, save_input);
  const std::vector<std::string> words(argv + 1, argv + argc);
  double seconds = 10;
  uint64_t seed = 1;
  if (words.size() == 2 && words[0] == "--write-seeds") return write_seeds(words[1]);
  if (!words.empty() && !words[0].starts_with("--")) {
    for (const std::string& file : words) run(alambic::read_file(file));
    return 0;
  }
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    if (words[i] == "--seconds") seconds = std::stod(words[i + 1]);
    if (words[i] == "--seed") seed = std::stoull(words[i + 1]);
  }
  return fuzz(seconds, seed);
}
