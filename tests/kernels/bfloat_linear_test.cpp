#include "alambic/kernels/bfloat_linear.h"

#include "tests/kernels/numbers.h"

namespace alambic::kernels::bfloat_linear_test {
namespace {

using test::draw;

Tensor draw_bfloat(at::IntArrayRef sizes, int64_t seed) {
  return draw(sizes, seed).to(at::kBFloat16);
}

struct Case {
  int64_t rows;
  bool output_major, biased;
};

struct BfloatLinear : testing::TestWithParam<Case> {};

// Prevents sums in bfloat16, a transposed weight, a lost bias: outputs and gradients are those of
// double precision, rounded once.
TEST_P(BfloatLinear, IsTheExactMapRounded) {
  const auto [rows, output_major, biased] = GetParam();
  const int64_t D = 72, E = 40;
  const std::vector<int64_t> sizes = output_major ? std::vector{E, D} : std::vector{D, E};
  std::vector<Tensor> inputs = {draw_bfloat({rows, D}, 1), draw_bfloat(sizes, 2),
                                draw_bfloat({E}, 3)};
  std::vector<Tensor> exact;
  for (Tensor& input : inputs) {
    exact.push_back(input.to(at::kDouble).requires_grad_());
    input.requires_grad_();
  }
  const Tensor bias = biased ? inputs[2] : Tensor(), probe = draw_bfloat({rows, E}, 4);
  const Tensor y = bfloat_linear(inputs[0], inputs[1], bias, output_major);
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  const Tensor wanted = at::linear(exact[0], output_major ? exact[1] : exact[1].t(),
                                   biased ? std::optional<Tensor>(exact[2]) : std::nullopt);
  const auto expect_rounded = [](const Tensor& found, const Tensor& expected) {
    const Tensor apart = (found.to(at::kDouble) - expected).abs();
    EXPECT_LT((apart / (expected.abs() + 0.05)).max().item<double>(), 0.004);  // half of 2^-7
  };
  expect_rounded(y.detach(), wanted.detach());
  y.backward(probe);
  wanted.backward(probe.to(at::kDouble));
  for (size_t i = 0; i < (biased ? 3 : 2); ++i) {
    expect_rounded(inputs[i].grad(), exact[i].grad());
  }
  // Few rows and many are summed in other orders, but each row alike whoever is beside it.
  const at::NoGradGuard constant;
  EXPECT_TRUE(at::equal(bfloat_linear(inputs[0].narrow(0, 0, 1), inputs[1], bias, output_major),
                        bfloat_linear(inputs[0].narrow(0, 0, std::min<int64_t>(rows, 3)), inputs[1],
                                      bias, output_major)
                            .narrow(0, 0, 1)));
}

INSTANTIATE_TEST_SUITE_P(Shapes, BfloatLinear,
                         testing::Values(Case{1, true, false}, Case{3, true, true},
                                         Case{70, true, true}, Case{3, false, true},
                                         Case{70, false, false}));

}  // namespace
}  // namespace alambic::kernels::bfloat_linear_test
