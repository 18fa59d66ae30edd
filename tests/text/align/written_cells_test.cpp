#include "alambic/text/align/written_cells.h"

#include <gtest/gtest.h>

namespace alambic::written_cells_test {
namespace {

using Ids = std::vector<int32_t>;

Tokenizer tokenizer_of(const std::string& name) {
  return Tokenizer::load(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers" / name);
}

struct Pair {
  Pair(const std::string& student, const std::string& teacher)
      : student(tokenizer_of(student)), teacher(tokenizer_of(teacher)) {}
  Tokenizer student, teacher;
  Aligner aligner{{student, {0}, "a"}, {teacher, {0}, "b"}};
  Cells cells = common_cells(aligner);

  std::vector<WrittenCell> written(const Ids& a, const Ids& b) const {
    return written_cells(aligner, cells, a, b);
  }
};

// A teacher that splits digits grades the "2" of "12" in a row of its own. Bug: "12" was one event,
// of which only its whole probability was known, and "10" to "19" could not be told apart.
TEST(WrittenCells, OfJoinedDigitsAreTheDigits) {
  const Pair pair("gpt2", "digits");
  const Ids joined = {pair.student.id_of("12").value()};
  const Ids split = {pair.teacher.id_of("1").value(), pair.teacher.id_of("2").value()};
  const int32_t one = pair.cells.of_bytes("1"), two = pair.cells.of_bytes("2");
  ASSERT_GE(one, 0);
  EXPECT_EQ(pair.written(joined, split),
            (std::vector<WrittenCell>{{one, {0, 0}, {0, 0}}, {two, {0, 1}, {1, 0}}}));
  const Pair back("digits", "gpt2");
  const int32_t first = back.cells.of_bytes("1"), second = back.cells.of_bytes("2");
  EXPECT_EQ(back.written(split, joined),
            (std::vector<WrittenCell>{{first, {0, 0}, {0, 0}}, {second, {1, 0}, {0, 1}}}));
}

TEST(WrittenCells, OfATokenOfBothIsItsCell) {
  const Pair pair("gpt2", "digits");
  const int32_t id = pair.student.id_of("1").value(), other = pair.teacher.id_of("1").value();
  EXPECT_EQ(pair.written({id}, {other}),
            (std::vector<WrittenCell>{{pair.cells.of_bytes("1"), {0, 0}, {0, 0}}}));
}

// A student that writes a token of both in pieces is in other cells than its teacher.
TEST(WrittenCells, AreNoneWhereTheSidesWriteOthers) {
  const Pair pair("gpt2", "gpt2");
  const Ids whole = {pair.student.id_of("12").value()};
  const Ids pieces = {pair.student.id_of("1").value(), pair.student.id_of("2").value()};
  EXPECT_TRUE(pair.written(pieces, whole).empty());
}

// They are the text of the span, and each begins where a token of one side does.
TEST(WrittenCells, OfTextsAreTheirBytes) {
  int64_t several = 0;
  for (const auto& [a, b] : {std::pair("gpt2", "digits"), std::pair("llama2", "gpt2"),
                             std::pair("deepseek", "llama2")}) {
    const Pair pair(a, b);
    const Ids ids =
        pair.student.encode_continuation(" Tom has 12 apples, and 340 ¿qué? 🙂 here.");
    const Alignment alignment = pair.aligner.align(ids);
    for (const TokenSpan& span : alignment.spans) {
      const auto part = [](const Ids& all, int64_t begin, int64_t end) {
        return Ids(all.begin() + begin, all.begin() + end);
      };
      const Ids own = part(ids, span.student_begin, span.student_end);
      const Ids other = part(alignment.teacher, span.teacher_begin, span.teacher_end);
      const std::vector<WrittenCell> written = pair.written(own, other);
      size_t bytes = 0, all = 0;
      for (const int32_t id : own) all += pair.aligner.student_bytes().of(id).size();
      for (const WrittenCell& cell : written) {
        bytes += static_cast<size_t>(pair.cells.bytes[static_cast<size_t>(cell.cell)]);
        EXPECT_TRUE(cell.student.written == 0 || cell.teacher.written == 0);
        EXPECT_LT(cell.student.token, std::ssize(own));
        EXPECT_LT(cell.teacher.token, std::ssize(other));
      }
      EXPECT_TRUE(written.empty() || bytes == all) << bytes << " of " << all;
      several += written.size() > 1;
    }
  }
  EXPECT_GT(several, 5);
}

}  // namespace
}  // namespace alambic::written_cells_test
