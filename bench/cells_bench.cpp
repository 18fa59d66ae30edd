// Cells of two vocabularies: the time in which they are made, and read from the disk.
//
//   build/release/bench/cells_bench STUDENT TEACHER [ROUNDS]
//
// Folders with a tokenizer, or GGUF files. Prints the best CPU seconds of some rounds.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "alambic/base/error.h"
#include "alambic/text/align/cells_file.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {
namespace {

template <class Function>
double best_of(int rounds, const Function& function) {
  double best = 1e30;
  for (int round = 0; round < rounds; ++round) {
    const std::clock_t start = std::clock();  // CPU time: the machine may be busy
    function();
    const std::clock_t took = std::clock() - start;
    best = std::min(best, static_cast<double>(took) / CLOCKS_PER_SEC);
  }
  return best;
}

int run(const fs::path& student, const fs::path& teacher, int rounds) {
  const Tokenizer a = load_tokenizer(student), b = load_tokenizer(teacher);
  const auto pair = [&] { return Aligner({a, {0}, "the student"}, {b, {0}, "the teacher"}); };
  const Aligner aligner = pair();
  const double bytes = best_of(rounds, pair);
  Cells cells;
  const double made = best_of(rounds, [&] { cells = common_cells(aligner); });
  const std::string file = cells_file(aligner, cells);
  const double read = best_of(rounds, [&] { read_cells(aligner, file).value(); });
  fmt::print("{} and {} tokens, {} cells; the others write {} and {}\n", a.size(), b.size(),
             cells.count, cells.student_paths.cells.size(), cells.teacher_paths.cells.size());
  fmt::print("bytes of both {:.3f} s, cells {:.3f} s, read from {:.1f} MB {:.3f} s\n", bytes, made,
             static_cast<double>(file.size()) / 1e6, read);
  return 0;
}

}  // namespace
}  // namespace alambic

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: cells_bench STUDENT TEACHER [ROUNDS]\n");
    return 2;
  }
  return alambic::run(argv[1], argv[2], argc > 3 ? std::atoi(argv[3]) : 3);
}
