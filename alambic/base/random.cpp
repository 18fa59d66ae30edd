#include "alambic/base/random.h"

#include <cmath>
#include <numbers>

namespace alambic {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

namespace {

// The six coordinates are wider than one Philox counter, so a first pass folds seed, stream and
// step into the key of the second.
std::array<uint32_t, 2> halves(uint64_t value) {
  return {static_cast<uint32_t>(value), static_cast<uint32_t>(value >> 32)};
}

uint64_t word64(uint32_t low, uint32_t high) { return uint64_t{high} << 32 | low; }

}  // namespace

std::array<uint32_t, 4> random_words(const Draw& draw) {
  const auto step = halves(draw.step);
  const auto folded =
      philox({step[0], step[1], static_cast<uint32_t>(draw.stream), 0}, halves(draw.seed));
  const auto sample = halves(draw.sample);
  return philox({sample[0], sample[1], draw.position, folded[2]}, {folded[0], folded[1]});
}

double uniform(const Draw& draw) {
  const auto words = random_words(draw);
  return static_cast<double>(word64(words[0], words[1]) >> 11) * 0x1p-53;
}

uint64_t uniform_below(const Draw& draw, uint64_t bound) {
  const auto words = random_words(draw);
  const auto wide = static_cast<unsigned __int128>(word64(words[0], words[1])) * bound;
  return static_cast<uint64_t>(wide >> 64);
}

double normal(const Draw& draw) {
  const auto words = random_words(draw);
  const double u = (static_cast<double>(word64(words[0], words[1]) >> 11) + 1) * 0x1p-53;
  const double v = static_cast<double>(word64(words[2], words[3]) >> 11) * 0x1p-53;
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

}  // namespace alambic
