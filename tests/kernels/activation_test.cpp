#include "alambic/kernels/activation.h"

#include "alambic/kernels/activation_ref.h"
#include "tests/kernels/numbers.h"

namespace alambic::kernels::activation_test {
namespace {

using namespace alambic::test;

const Kernel kernel = [](const Inputs& in) { return swiglu(in[0], in[1]); };
const Kernel gated_by_gelu = [](const Inputs& in) { return geglu(in[0], in[1]); };
const Kernel gelu_alone = [](const Inputs& in) { return gelu_tanh(in[0]); };

TEST(Swiglu, EqualsItsDefinition) {
  for (int64_t F : {1, 15, 16, 33, 768}) {
    const Tensor gate = draw({3, F}, F) * 5, up = draw({3, F}, F + 1);
    const Tensor expected = tensor(ref::swiglu(values(gate), values(up)), {3, F});
    EXPECT_LT(error(swiglu(gate, up), expected), 1e-12) << F;
    EXPECT_LT(error(swiglu(gate.to(at::kFloat), up.to(at::kFloat)), expected), 1e-6) << F;
  }
}

TEST(Swiglu, IsRightToTheLastPlacesOverTheWholeRange) {
  const Tensor gate = at::linspace(-80, 80, 4001, at::kDouble), up = at::ones_like(gate);
  const Tensor expected = tensor(ref::swiglu(values(gate), values(up)), {4001});
  const Tensor found = swiglu(gate.to(at::kFloat), up.to(at::kFloat)).to(at::kDouble);
  const Tensor input = gate.to(at::kFloat).to(at::kDouble);
  const Tensor there = tensor(ref::swiglu(values(input), values(up)), {4001});
  EXPECT_LT(((found - there) / there).nan_to_num(0).abs().max().item<double>(), 1e-6);
}

TEST(Swiglu, ExtremesAreLimitsAndNaNStaysNaN) {
  const Tensor gate = tensor({-INFINITY, -1000, -100, 0, 100, 1000, NAN}, {7}).to(at::kFloat);
  const Tensor y = swiglu(gate, at::ones({7}));
  EXPECT_EQ(y[1].item<float>(), 0);
  EXPECT_NEAR(y[2].item<float>(), 0, 1e-35);
  EXPECT_EQ(y[3].item<float>(), 0);
  EXPECT_EQ(y[4].item<float>(), 100);
  EXPECT_EQ(y[5].item<float>(), 1000);
  EXPECT_TRUE(std::isnan(y[6].item<float>()));
}

TEST(Swiglu, GradientsEqualFiniteDifferences) {
  expect_right_gradients(kernel, {draw({2, 21}, 1), draw({2, 21}, 2)});
  expect_same_without_gradients(kernel, {draw({2, 21}, 1), draw({2, 21}, 2)});
}

TEST(Swiglu, TakesHalvesOfOneMatrix) {
  const Tensor both = draw({4, 50}, 3).to(at::kFloat);
  const Tensor gate = both.narrow(1, 0, 25), up = both.narrow(1, 25, 25);
  EXPECT_TRUE(at::equal(swiglu(gate, up), swiglu(gate.contiguous(), up.contiguous())));
}

// Bug: a vectorized tanh that loses its digits near zero or far out, or the rest of a row.
TEST(Gelu, EqualsItsDefinition) {
  for (int64_t F : {1, 15, 16, 33, 768}) {
    const Tensor gate = draw({3, F}, F) * 5, up = draw({3, F}, F + 1);
    const Tensor alone = tensor(ref::gelu_tanh(values(gate)), {3, F});
    const Tensor both = tensor(ref::geglu(values(gate), values(up)), {3, F});
    EXPECT_LT(error(gelu_tanh(gate), alone), 1e-12) << F;
    EXPECT_LT(error(geglu(gate, up), both), 1e-12) << F;
    EXPECT_LT(error(gelu_tanh(gate.to(at::kFloat)), alone), 1e-6) << F;
    EXPECT_LT(error(geglu(gate.to(at::kFloat), up.to(at::kFloat)), both), 1e-6) << F;
  }
  const Tensor x = at::linspace(-3, 3, 4001, at::kDouble).to(at::kFloat);
  const Tensor there = tensor(ref::gelu_tanh(values(x)), {4001});
  EXPECT_LT((gelu_tanh(x).to(at::kDouble) - there).abs().max().item<double>(), 4e-7);
}

TEST(Gelu, ExtremesAreLimitsAndNaNStaysNaN) {
  const Tensor y = gelu_tanh(tensor({-1000, -10, 0, 10, 1000, NAN}, {6}).to(at::kFloat));
  EXPECT_EQ(y[0].item<float>(), 0);
  EXPECT_EQ(y[1].item<float>(), 0);
  EXPECT_EQ(y[2].item<float>(), 0);
  EXPECT_EQ(y[3].item<float>(), 10);
  EXPECT_EQ(y[4].item<float>(), 1000);
  EXPECT_TRUE(std::isnan(y[5].item<float>()));
}

TEST(Gelu, GradientsEqualFiniteDifferences) {
  expect_right_gradients(gelu_alone, {draw({2, 21}, 1)});
  expect_same_without_gradients(gelu_alone, {draw({2, 21}, 1)});
  expect_right_gradients(gated_by_gelu, {draw({2, 21}, 1), draw({2, 21}, 2)});
  expect_same_without_gradients(gated_by_gelu, {draw({2, 21}, 1), draw({2, 21}, 2)});
}

}  // namespace
}  // namespace alambic::kernels::activation_test
