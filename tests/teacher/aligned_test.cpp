#include "alambic/teacher/aligned.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "alambic/teacher/local.h"
#include "tests/golden.h"
#include "tests/model_fixture.h"

namespace alambic::aligned_test {
namespace {

Tokenizer tokenizer_of(const std::string& name) {
  return Tokenizer::load(golden_folder("tokenizers") / name);
}

struct AlignedPair : testing::Test {
  Tokenizer student = tokenizer_of("gpt2"), teacher = tokenizer_of("llama2");
  int32_t end = student.id_of("<|end|>").value();
  std::vector<int32_t> first = student.encode_continuation(" Tom has 12"),
                       second = student.encode_continuation("apples");

  AlignedTeacher of(TeacherPrompts prompts, int64_t positions = 1000) const {
    const auto aligner = std::make_shared<Aligner>(AlignedTokenizer{student, {end}, "student"},
                                                   AlignedTokenizer{teacher, {2}, "teacher"});
    return {nullptr, aligner, std::move(prompts), positions};
  }
  // The first completion ends, the second was cut. Rows 1 and 0 of the data.
  Rollouts rollouts() const {
    std::vector<int32_t> one = {5, 6}, other = {7};
    one.insert(one.end(), first.begin(), first.end());
    one.push_back(end);
    other.insert(other.end(), second.begin(), second.end());
    const auto N = std::ssize(one) + std::ssize(other);
    const Tensor mask_N = at::ones({N}, at::kBool);
    mask_N[0] = mask_N[1] = mask_N[std::ssize(one)] = false;
    return {.sequences = pack({one, other}),
            .completion_mask_N = mask_N,
            .logp_N = at::zeros({N}),
            .row_S = {1, 0}};
  }
};

TEST_F(AlignedPair, ReadsTheSameTextBehindItsOwnPrompt) {
  const AlignedTeacher::Read read = of({{40}, {30, 31, 32}}).read(rollouts());
  std::vector<int32_t> one = {30, 31, 32}, other = {40};
  for (const int32_t id : teacher.encode_continuation(" Tom has 12")) one.push_back(id);
  one.push_back(2);
  for (const int32_t id : teacher.encode_continuation("apples")) other.push_back(id);
  const Packed expected = pack({one, other});
  EXPECT_TRUE(read.rollouts.sequences.tokens_N.equal(expected.tokens_N));
  EXPECT_EQ(read.rollouts.sequences.offsets, expected.offsets);
  EXPECT_TRUE(read.rollouts.targets_M().equal(read.map.token_L));
  EXPECT_EQ(read.map.span_M.numel(), rollouts().targets_M().numel());
  EXPECT_EQ(read.map.end_M.sum().item<int64_t>(), 1);
  EXPECT_EQ(read.map.end_L.sum().item<int64_t>(), 1);
  EXPECT_TRUE(read.map.end_M[std::ssize(first)].item<bool>());
  EXPECT_EQ(of({{40}, {30, 31, 32}}).graded(rollouts()), read.map.spans());
  // Every span has tokens of both sides, of one sequence.
  for (int64_t k = 0; k < read.map.spans(); ++k) {
    EXPECT_TRUE((read.map.span_M == k).any().item<bool>());
    EXPECT_TRUE((read.map.span_L == k).any().item<bool>());
  }
}

// Spans that its tokens write in the same cells as the student's are compared cell by cell.
TEST_F(AlignedPair, GoesThroughTheCellsOfASpan) {
  const AlignedTeacher spans = of({{40}, {30, 31, 32}});
  const auto cells = std::make_shared<Cells>(common_cells(spans.aligner()));
  SpanMap map = spans.read(rollouts()).map;
  SpanCells(std::make_shared<Aligner>(spans.aligner()), cells).add_to(map, rollouts().targets_M());
  EXPECT_EQ(map.cell_K.numel(), map.spans());
  ASSERT_FALSE(map.inner.empty());
  const Tensor token_M = rollouts().targets_M();
  int64_t before = -1;
  for (const InnerCell& inner : map.inner) {
    EXPECT_GE(inner.span, before);
    before = inner.span;
    EXPECT_EQ(map.span_M[inner.student].item<int64_t>(), inner.span);
    EXPECT_EQ(map.span_L[inner.teacher].item<int64_t>(), inner.span);
    EXPECT_TRUE((inner.student_written == 0) != (inner.teacher_written == 0));
    const auto own = token_M[inner.student].item<int64_t>();
    const auto other = map.token_L[inner.teacher].item<int64_t>();
    const TokenPaths &mine = *map.cells->student_paths, &its = *map.cells->teacher_paths;
    const bool joins = inner.student_written > 0;
    EXPECT_EQ(joins ? mine.of(own)[inner.student_written] : its.of(other)[inner.teacher_written],
              inner.cell);
    EXPECT_GE(mine.alone[inner.cell], 0);
    EXPECT_GE(its.alone[inner.cell], 0);
  }
  AlignedTeacher pieces(nullptr, std::make_shared<Aligner>(spans.aligner()), {{40}, {30, 31, 32}},
                        1000, cells);
  EXPECT_EQ(pieces.graded(rollouts()), map.compared());
}

TEST_F(AlignedPair, MasksWhatItsContextHasNoRoomFor) {
  const AlignedTeacher::Read read = of({{40}, {30, 31, 32}}, 5).read(rollouts());
  EXPECT_LE(read.rollouts.sequences.length(0), 5);
  EXPECT_LE(read.rollouts.sequences.length(1), 5);
  EXPECT_FALSE(read.map.end_M.any().item<bool>());
  EXPECT_TRUE((read.map.span_M < 0).any().item<bool>());
}

}  // namespace
}  // namespace alambic::aligned_test
