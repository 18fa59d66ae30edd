#include "alambic/teacher/privileged.h"

#include <gtest/gtest.h>

#include "alambic/teacher/local.h"
#include "tests/golden.h"
#include "tests/model_fixture.h"

namespace alambic::privileged_test {
namespace {

Rollouts two_answers() {
  return {.sequences = pack({{3, 7, 9, 2}, {5, 1}}),
          .completion_mask_N = at::tensor({0, 0, 1, 1, 0, 1}).to(at::kBool),
          .logp_N = at::tensor({0.f, 0.f, -1.f, -2.f, 0.f, -3.f}),
          .row_S = {1, 0}};
}

TEST(PrivilegedTeacher, ReplacesThePromptAndNothingElse) {
  const Rollouts seen = with_prompts(two_answers(), {{}, {20, 21, 22}});
  EXPECT_EQ(seen.sequences.offsets, (std::vector<int64_t>{0, 5, 7}));
  EXPECT_TRUE(seen.sequences.tokens_N.equal(at::tensor({20, 21, 22, 9, 2, 5, 1}, at::kLong)));
  EXPECT_TRUE(seen.completion_mask_N.equal(at::tensor({0, 0, 0, 1, 1, 0, 1}).to(at::kBool)));
  EXPECT_TRUE(seen.targets_M().equal(two_answers().targets_M()));
  EXPECT_TRUE(seen.logp_N.index_select(0, seen.loss_positions_M() + 1)
                  .equal(at::tensor({-1.f, -2.f, -3.f})));
}

// Rows shifted by the longer prompt would grade each token by its neighbor's distribution.
TEST(PrivilegedTeacher, GradesTheCompletionBehindItsOwnPrompt) {
  const auto inner = std::make_shared<LocalTeacher>(random_model(small_llama_config()), 50);
  const PrivilegedTeacher teacher(inner, {{}, {20, 21, 22}});
  const Tensor expected_MD =
      at::cat({inner->model().hidden(Pass(pack({{20, 21, 22, 9, 2}}))).slice(0, 2, 4),
               inner->model().hidden(Pass(pack({{5, 1}}))).slice(0, 0, 1)});
  const TeacherOutput output = teacher.evaluate(two_answers());
  const Tensor& hidden_MD = hidden_states(output).hidden_MD;
  ASSERT_EQ(hidden_MD.sizes(), expected_MD.sizes());
  EXPECT_LT(distance(hidden_MD, expected_MD), 1e-5);
}

}  // namespace
}  // namespace alambic::privileged_test
