#include "alambic/kernels/rope.h"

#include "alambic/kernels/rope_ref.h"
#include "tests/kernels/numbers.h"

namespace alambic::kernels::rope_test {
namespace {

using namespace alambic::test;

struct Angles {
  Tensor cos, sin;  // float64, [N, d/2]
};

Angles angles(int64_t N, int64_t d) {
  const Tensor angle = draw({N, d / 2}, 7);
  return {angle.cos(), angle.sin()};
}

Tensor turned(const Tensor& x, const Angles& a) {
  const auto wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return rope(x, a.cos.to(wide), a.sin.to(wide));
}

TEST(Rope, EqualsItsDefinitionAtEveryHeadWidth) {
  for (int64_t d : {2, 6, 16, 20, 32, 48, 64, 80, 128}) {
    const Angles a = angles(4, d);
    const Tensor x = draw({4, 3, d}, d);
    const Tensor expected =
        tensor(ref::rope(values(x), values(a.cos), values(a.sin), 3, d), {4, 3, d});
    EXPECT_LT(error(turned(x, a), expected), 1e-12) << d;
    EXPECT_LT(error(turned(x.to(at::kFloat), a), expected), 1e-6) << d;
  }
}

TEST(Rope, GradientsEqualFiniteDifferences) {
  const Angles a = angles(3, 10);
  const Kernel kernel = [&](const Inputs& in) { return turned(in[0], a); };
  expect_right_gradients(kernel, {draw({3, 2, 10}, 1)});
  expect_same_without_gradients(kernel, {draw({3, 2, 10}, 1)});
}

TEST(Rope, BackwardTurnsBack) {
  const Angles a = angles(5, 32);
  const Tensor x = draw({5, 2, 32}, 2).to(at::kFloat).requires_grad_();
  const Tensor y = turned(x, a);
  y.backward(y.detach());
  EXPECT_LT(error(x.grad(), x), 1e-6);
}

TEST(Rope, TakesViews) {
  const Angles a = angles(5, 16);
  const Tensor qkv = draw({5, 3, 4, 16}, 3).to(at::kFloat);
  const Tensor view = qkv.select(1, 1);
  EXPECT_FALSE(view.is_contiguous());
  EXPECT_TRUE(at::equal(turned(view, a), turned(view.contiguous(), a)));
  const Tensor crossed = qkv.select(1, 0).transpose(1, 2).contiguous().transpose(1, 2);
  EXPECT_TRUE(at::equal(turned(crossed, a), turned(crossed.contiguous(), a)));
}

TEST(Rope, RefusesTablesOfOtherPositions) {
  EXPECT_THROW(turned(at::zeros({4, 1, 8}), angles(3, 8)), std::exception);
}

}  // namespace
}  // namespace alambic::kernels::rope_test
