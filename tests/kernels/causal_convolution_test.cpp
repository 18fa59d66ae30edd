#include "alambic/kernels/causal_convolution.h"

#include "alambic/kernels/causal_convolution_ref.h"
#include "tests/kernels/numbers.h"

namespace alambic::kernels::causal_convolution_test {
namespace {

using namespace alambic::test;

// Sequences shorter than the window, and one that must not see its neighbor's end.
const std::vector<int64_t> offsets = {0, 1, 3, 9};
const Tensor positions = at::tensor({0, 0, 1, 0, 1, 2, 3, 4, 5}, at::kLong);
const Kernel kernel = [](const Inputs& in) {
  return packed_causal_convolution(in[0], in[1], positions);
};

TEST(CausalConvolution, EqualsItsDefinition) {
  const Tensor x = draw({9, 5}, 1);
  for (const int64_t W : {1, 2, 4, 12}) {
    const Tensor weight = draw({5, W}, 2);
    const Tensor expected =
        tensor(ref::packed_causal_convolution(values(x), values(weight), offsets, 5), {9, 5});
    EXPECT_LT(error(packed_causal_convolution(x, weight, positions), expected), 1e-12) << W;
  }
}

TEST(CausalConvolution, OfOnePositionIsTheRowOfAll) {
  const Tensor x = draw({9, 5}, 1), weight = draw({5, 4}, 2);
  const Tensor all = packed_causal_convolution(x, weight, positions);
  const Tensor last = at::stack({x.narrow(0, 4, 4), x.narrow(0, 5, 4)});
  EXPECT_LT(error(causal_convolution_step(last, weight), all.narrow(0, 7, 2)), 1e-12);
}

TEST(CausalConvolution, GradientsEqualFiniteDifferences) {
  expect_right_gradients(kernel, {draw({9, 5}, 3), draw({5, 4}, 4)});
}

}  // namespace
}  // namespace alambic::kernels::causal_convolution_test
