// Our side of bench/tokenize_speed.py: FOLDER TEXTS ROUNDS IDS. TEXTS holds documents ended by a
// zero byte; prints the CPU seconds of each round as JSON and writes the ids of all documents,
// int32, to IDS.
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "alambic/base/files.h"
#include "alambic/text/tokenizer/tokenizer.h"

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const alambic::Tokenizer tokenizer = alambic::Tokenizer::load(argv[1]);
  const std::string bytes = alambic::read_file(argv[2]);
  std::vector<std::string_view> texts;
  for (size_t begin = 0; begin < bytes.size();) {
    const size_t end = bytes.find('\0', begin);
    texts.emplace_back(bytes.data() + begin, end - begin);
    begin = end + 1;
  }
  std::string all;
  const int rounds = std::atoi(argv[3]);
  for (int round = 0; round < rounds; ++round) {
    all.clear();
    const std::clock_t start = std::clock();  // CPU time: the machine may be busy
    for (const std::string_view text : texts) {
      const std::vector<int32_t> ids = tokenizer.encode(text, false);
      all.append(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof ids[0]);
    }
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    std::printf("%s%.4f", round == 0 ? "[" : ", ", seconds);
  }
  std::puts("]");
  alambic::write_file(argv[4], all);
  return 0;
}
