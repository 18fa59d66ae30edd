#include "alambic/kernels/packed_linear.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/kernels/launch.h"
#include "alambic/kernels/linear.h"
#include "tests/kernels/numbers.h"
#include "tests/random_packed.h"

namespace alambic::packed_linear_test {
namespace {

class PackedLinear : public testing::TestWithParam<Dtype> {};

// Prevents: a teacher that grades otherwise when its file is read in a thriftier way. The sizes
// cross the kernels' borders: one row, few, many, more rows than columns, an odd last part.
TEST_P(PackedLinear, InFloat32IsBitEqualToTheDecodedWeight) {
  at::manual_seed(1);
  for (const auto& [N, E, D] :
       {std::tuple(1, 300, 512), std::tuple(7, 1000, 256), std::tuple(40, 777, 512),
        std::tuple(300, 130, 256), std::tuple(1100, 1025, 256)}) {
    const PackedMatrix packed = random_packed(GetParam(), E, D);
    const Tensor weight_ED = decoded_whole(packed), x_ND = at::randn({N, D}),
                 bias_E = at::randn({E});
    EXPECT_TRUE(at::equal(kernels::packed_linear(x_ND, packed, Tensor()),
                          kernels::linear(x_ND, weight_ED, Tensor())))
        << N;
    EXPECT_TRUE(at::equal(kernels::packed_linear(x_ND, packed, bias_E),
                          kernels::linear(x_ND, weight_ED, bias_E)))
        << N;
  }
}

TEST_P(PackedLinear, InBfloat16IsThatOfTheDecodedWeight) {
  at::manual_seed(1);
  const PackedMatrix packed = random_packed(GetParam(), 600, 512, 1, at::kBFloat16);
  const Tensor x_ND = at::randn({50, 512}).to(at::kBFloat16);
  const Tensor y = kernels::packed_linear(x_ND, packed, Tensor());
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  const Tensor expected = at::linear(x_ND.to(at::kDouble), decoded_whole(packed).to(at::kDouble));
  const double error = (y.to(at::kDouble) - expected).abs().max().item<double>();
  EXPECT_LT(error, 0.005 * expected.abs().max().item<double>());
}

TEST_P(PackedLinear, GivesRowsByNumber) {
  const PackedMatrix packed = random_packed(GetParam(), 10, 256);
  const Tensor weight = decoded_whole(packed);
  EXPECT_TRUE(at::equal(packed.decoded(3, 4), weight.narrow(0, 3, 4)));
  const Tensor rows = at::tensor({9, 0, 0, 5}, at::kLong);
  EXPECT_TRUE(at::equal(packed.decoded(rows), weight.index_select(0, rows)));
  EXPECT_TRUE(at::equal(packed.part(2, 4).decoded(1, 3), weight.narrow(0, 3, 3)));
  EXPECT_EQ(packed.decoded(0, 0).size(0), 0);
}

// Bug: a row whose numbers depend on what else is in the batch, or on who computes it.
TEST_P(PackedLinear, ARowHasTheSameBitsAloneInABatchAndOnTwoThreads) {
  const int threads = at::get_num_threads();
  const PackedMatrix packed = random_packed(GetParam(), 1003, 512);
  const Tensor x_ND = test::draw({16, 512}, 3).to(at::kFloat);
  at::set_num_threads(1);
  const Tensor batch = kernels::packed_linear(x_ND, packed, Tensor());
  for (int64_t rows = 1; rows < 16; ++rows) {
    const Tensor some = x_ND.narrow(0, 16 - rows, rows);
    at::set_num_threads(1 + rows % 2);
    EXPECT_TRUE(
        at::equal(kernels::packed_linear(some, packed, Tensor()), batch.narrow(0, 16 - rows, rows)))
        << rows;
  }
  at::set_num_threads(threads);
}

// An adapter on a frozen base learns through it ("QLoRA", arXiv 2305.14314): what goes back is what
// goes back through the decoded base.
TEST_P(PackedLinear, HasTheInputGradientsOfTheDecodedWeight) {
  const int64_t D = 512, E = 333;
  const PackedMatrix packed = random_packed(GetParam(), E, D);
  const Tensor weight_ED = decoded_whole(packed);
  for (const int64_t N : {1, 5, 64, 700}) {
    const auto inputs = [&] {
      return test::cast({test::draw({N, D}, 1), test::draw({E}, 2)}, at::kFloat, true);
    };
    const Tensor probe = test::draw({N, E}, 3).to(at::kFloat);
    const test::Inputs a = inputs(), b = inputs();
    (kernels::packed_linear(a[0], packed, a[1]) * probe).sum().backward();
    (kernels::linear(b[0], weight_ED, b[1]) * probe).sum().backward();
    EXPECT_LT(test::error(a[0].grad(), b[0].grad()), 2e-6) << N;
    EXPECT_TRUE(N < kernels::many_rows() || at::equal(a[0].grad(), b[0].grad())) << N;
    EXPECT_TRUE(at::equal(a[1].grad(), b[1].grad())) << N;
  }
}

TEST_P(PackedLinear, HasGradientsEqualToFiniteDifferences) {
  const PackedMatrix packed = random_packed(GetParam(), 7, 256);
  test::expect_right_gradients(
      // Small sums, of which differences keep their digits.
      [&](const test::Inputs& in) { return kernels::packed_linear(in[0], packed, in[1]) * 0.01; },
      {test::draw({3, 256}, 1), test::draw({7}, 2)});
}

INSTANTIATE_TEST_SUITE_P(Formats, PackedLinear, testing::ValuesIn(packed_dtypes),
                         [](const auto& info) { return name_of(info.param); });

TEST(PackedMatrix, HasNoRowsBeyondItsLast) {
  const PackedMatrix packed = random_packed(Dtype::Q8_0, 4, 32);
  EXPECT_THROW(packed.decoded(2, 3), Error);
  EXPECT_THROW(packed.decoded(at::tensor({4}, at::kLong)), Error);
}

TEST(PackedMatrix, HasNoGradientThroughAWrittenProduct) {
  const PackedMatrix packed = random_packed(Dtype::Q8_0, 4, 32);
  const Tensor x = at::randn({2, 32}).requires_grad_();
  EXPECT_THROW(kernels::write_packed_linear(at::empty({2, 4}), x, packed, Tensor()), Error);
}

}  // namespace
}  // namespace alambic::packed_linear_test
