#include <gtest/gtest.h>

#include "alambic/objective/head_chunks.h"
#include "problem.h"

namespace alambic::head_test {
namespace {

// Bug: a gradient made in forward replaces what the rest of the graph contributes.
TEST(ChunkedHead, ATiedHeadAddsToTheGradientOfItsOtherUse) {
  const Problem problem = random_problem(4, 20).to(at::kFloat);
  const Tensor weight = problem.student.weight_VD.dense().clone().requires_grad_();
  const Tensor tokens = at::tensor(std::vector<int64_t>{3, 0, 19, 3});
  const Tensor hidden = weight.index_select(0, tokens).tanh();
  const Loss loss = divergence_loss(generalized_jsd(0.5), hidden, {.weight_VD = weight},
                                    problem.teacher_output, 4);
  loss.value.backward();

  const Gradients head = differentiate({hidden, {.weight_VD = weight}, problem.teacher_output},
                                       generalized_jsd(0.5), 4);
  const Tensor through = head.hidden_MD * (1 - hidden.detach().square());
  const Tensor expected = head.weight_VD.clone().index_add_(0, tokens, through);
  EXPECT_LT(relative_difference(weight.grad(), expected), 1e-6);
}

// Bug: the incoming gradient (loss scaling, a sum of losses) is ignored.
TEST(ChunkedHead, MultipliesByTheIncomingGradient) {
  const Problem problem = random_problem(4, 20).to(at::kFloat);
  const Tensor hidden = problem.student_MD.clone().requires_grad_();
  const Loss loss = divergence_loss({}, hidden, problem.student, problem.teacher_output, 1);
  (loss.value * 3 + 1).backward();
  const Gradients once = differentiate(problem, {});
  EXPECT_LT(relative_difference(hidden.grad(), once.hidden_MD * 3), 1e-6);
}

// Bug: bfloat16 logits make the loss rounding noise; gradients must come back in bfloat16.
TEST(ChunkedHead, WidensBfloat16BeforeItMultiplies) {
  const Problem narrow = random_problem(5, 60).to(at::kBFloat16);
  const Gradients found = differentiate(narrow, generalized_jsd(1));
  const Gradients expected = differentiate(narrow.to(at::kFloat), generalized_jsd(1));
  EXPECT_FLOAT_EQ(found.value, expected.value);
  EXPECT_EQ(found.weight_VD.scalar_type(), at::kBFloat16);
  EXPECT_LT(relative_difference(found.weight_VD, expected.weight_VD), 5e-3);
}

// Bug: buffers that grow with the vocabulary, or a hundred launches for a small one.
TEST(ChunkedHead, ChunksFitTheirBudget) {
  EXPECT_EQ(chunk_rows({}, 2048, 50257, 2, at::kCPU), 166);
  EXPECT_EQ(chunk_rows({}, 2048, 600, 2, at::kCPU), 1024);
  EXPECT_EQ(chunk_rows({}, 100, 600, 2, at::kCPU), 100);
  EXPECT_EQ(chunk_rows({}, 2048, 10000000, 2, at::kCPU), 128);
  EXPECT_EQ(chunk_rows({.rows = 3}, 2048, 600, 2, at::kCPU), 3);
}

}  // namespace
}  // namespace alambic::head_test
