#include "alambic/text/align/cells_file.h"

#include <gtest/gtest.h>

#include "alambic/base/file_system.h"
#include "alambic/base/temporary_folder.h"

namespace alambic::cells_file_test {
namespace {

Tokenizer tokenizer_of(const std::string& name) {
  return Tokenizer::load(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers" / name);
}

struct CellsFile : testing::Test {
  Tokenizer a = tokenizer_of("gpt2"), b = tokenizer_of("llama2");
  Aligner aligner{{a, {a.id_of("<|end|>").value()}, "a"}, {b, {2}, "b"}};
  Cells cells = common_cells(aligner);
  TemporaryFolder folder;

  static void expect_same(const Cells& found, const Cells& made) {
    EXPECT_EQ(found.of_student, made.of_student);
    EXPECT_EQ(found.of_teacher, made.of_teacher);
    EXPECT_EQ(found.count, made.count);
    EXPECT_EQ(found.end, made.end);
    EXPECT_EQ(found.bytes, made.bytes);
    EXPECT_EQ(found.common, made.common);
    EXPECT_EQ(found.student_paths.begin, made.student_paths.begin);
    EXPECT_EQ(found.student_paths.cells, made.student_paths.cells);
    EXPECT_EQ(found.teacher_paths.begin, made.teacher_paths.begin);
    EXPECT_EQ(found.teacher_paths.cells, made.teacher_paths.cells);
  }
};

TEST_F(CellsFile, HasWhatWasMade) {
  const auto found = read_cells(aligner, cells_file(aligner, cells));
  ASSERT_TRUE(found);
  expect_same(*found, cells);
}

// Cells of another pair would grade other tokens, without a word.
TEST_F(CellsFile, IsOfItsPairAlone) {
  const std::string file = cells_file(aligner, cells);
  EXPECT_FALSE(read_cells(Aligner({b, {2}, "b"}, {a, {0}, "a"}), file));
  EXPECT_FALSE(read_cells(Aligner({a, {1}, "a"}, {b, {2}, "b"}), file));
  const Tokenizer other = tokenizer_of("llama3");
  EXPECT_FALSE(
      read_cells(Aligner({a, {a.id_of("<|end|>").value()}, "a"}, {other, {2}, "b"}), file));
}

TEST_F(CellsFile, IsMadeAnewWhereItIsDamaged) {
  const std::string file = cells_file(aligner, cells);
  for (const size_t at :
       {size_t{0}, size_t{14}, size_t{20}, size_t{100}, file.size() / 2, file.size() - 1}) {
    std::string damaged = file;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(read_cells(aligner, damaged)) << at;
    EXPECT_FALSE(read_cells(aligner, file.substr(0, at))) << at;
  }
  EXPECT_FALSE(read_cells(aligner, file + "x"));
  EXPECT_FALSE(read_cells(aligner, ""));
}

TEST_F(CellsFile, IsWrittenOnceAndReadAgain) {
  const fs::path cache = folder.path() / "a/b";
  expect_same(kept_cells(aligner, cache), cells);
  const fs::path path = cache / (cells_key(aligner) + ".cells");
  ASSERT_TRUE(is_file(path));
  EXPECT_EQ(list_folder(cache).size(), 1u);
  // What is there is taken: other cells with a right digest are believed.
  Cells others = cells;
  std::swap(others.of_student[40], others.of_student[41]);
  write_file(path, cells_file(aligner, others));
  EXPECT_EQ(kept_cells(aligner, cache).of_student, others.of_student);
  // A file that was cut is not.
  write_file(path, read_file(path).substr(0, 1000));
  expect_same(kept_cells(aligner, cache), cells);
  EXPECT_EQ(read_file(path), cells_file(aligner, cells));
}

TEST_F(CellsFile, NeedsNoFolder) {
  write_file(folder.path() / "file", "");
  expect_same(kept_cells(aligner, folder.path() / "file/cells"), cells);
}

}  // namespace
}  // namespace alambic::cells_file_test
