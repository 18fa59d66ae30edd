#include "alambic/kernels/norm.h"

#include "alambic/kernels/norm_ref.h"
#include "tests/kernels/numbers.h"

namespace alambic::kernels::norm_test {
namespace {

using namespace alambic::test;

const double epsilon = 1e-5;
const Kernel kernel = [](const Inputs& in) { return rms_norm(in[0], in[1], epsilon); };

TEST(RmsNorm, EqualsItsDefinitionAtEveryWidth) {
  for (int64_t D : {1, 3, 15, 16, 17, 64, 100, 288, 771}) {
    const Tensor x = draw({5, D}, D), weight = draw({D}, 1);
    const Tensor expected = tensor(ref::rms_norm(values(x), values(weight), epsilon), {5, D});
    EXPECT_LT(error(rms_norm(x, weight, epsilon), expected), 1e-12) << D;
    const Tensor single = rms_norm(x.to(at::kFloat), weight.to(at::kFloat), epsilon);
    EXPECT_EQ(single.scalar_type(), at::kFloat);
    EXPECT_LT(error(single, expected), 1e-6) << D;
  }
}

TEST(RmsNorm, EpsilonIsInsideTheRoot) {
  const Tensor y = rms_norm(at::zeros({1, 4}), at::ones({4}), epsilon);
  EXPECT_TRUE(at::equal(y, at::zeros({1, 4})));
  const Tensor small = at::full({1, 4}, 1e-3f);
  EXPECT_NEAR(rms_norm(small, at::ones({4}), 1e-2)[0][0].item<float>(), 1e-3 / 0.1, 1e-6);
}

TEST(RmsNorm, GradientsEqualFiniteDifferences) {
  expect_right_gradients(kernel, {draw({3, 19}, 2), draw({19}, 3)});
  expect_same_without_gradients(kernel, {draw({70, 32}, 2), draw({32}, 3)});
}

TEST(RmsNorm, WeightGradientCrossesBlocksOfRows) {
  for (int64_t N : {1, 31, 32, 33, 200}) {
    const Inputs in = {draw({N, 24}, 4), draw({24}, 5)};
    const Tensor probe = draw({N, 24}, 6);
    const Inputs single = gradients(kernel, in, at::kFloat, probe);
    const Inputs exact = gradients(kernel, in, at::kDouble, probe);
    EXPECT_LT(error(single[0], exact[0]), 2e-6) << N;
    EXPECT_LT(error(single[1], exact[1]), 2e-6) << N;
  }
}

TEST(RmsNorm, GradientOfOneInputNeedsNoOther) {
  const Tensor x = draw({4, 8}, 7).to(at::kFloat), weight = draw({8}, 8).to(at::kFloat);
  const Tensor leaf = x.clone().requires_grad_();
  rms_norm(leaf, weight, epsilon).sum().backward();
  EXPECT_LT(error(leaf.grad(), gradients(kernel, {x, weight}, at::kDouble, at::ones({4, 8}))[0]),
            2e-6);
}

TEST(RmsNorm, TakesViewsAndNothingAtAll) {
  const Tensor wide = draw({6, 40}, 9).to(at::kFloat), weight = draw({20}, 10).to(at::kFloat);
  const Tensor view = wide.narrow(1, 10, 20);
  EXPECT_TRUE(
      at::equal(rms_norm(view, weight, epsilon), rms_norm(view.contiguous(), weight, epsilon)));
  EXPECT_EQ(rms_norm(at::empty({0, 20}), weight, epsilon).size(0), 0);
}

TEST(RmsNorm, KeepsNaNAndRoundsBfloat16AsTransformers) {
  const Tensor x = at::full({1, 16}, NAN);
  EXPECT_TRUE(at::isnan(rms_norm(x, at::ones({16}), epsilon)).all().item<bool>());
  const Tensor b = draw({3, 16}, 11).to(at::kBFloat16);
  EXPECT_EQ(rms_norm(b, at::ones({16}, at::kBFloat16), epsilon).scalar_type(), at::kBFloat16);
}

}  // namespace
}  // namespace alambic::kernels::norm_test
