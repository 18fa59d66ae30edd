#include "alambic/kernels/packed_linear.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/io/quant/decode.h"
#include "alambic/io/quant/encode.h"
#include "alambic/kernels/linear.h"

namespace alambic {
namespace {

// A random matrix in a block format, with the bytes that it owns.
PackedMatrix random_packed(Dtype dtype, int64_t rows, int64_t columns, at::ScalarType type) {
  const Tensor numbers = at::randn({rows, columns}, at::kFloat);
  const auto bytes = std::make_shared<const std::vector<std::byte>>(
      encode(dtype, {numbers.const_data_ptr<float>(), static_cast<size_t>(numbers.numel())}));
  return {.dtype = dtype,
          .rows = rows,
          .columns = columns,
          .bytes = *bytes,
          .owner = bytes,
          .type = type};
}

// What loading without `frozen` makes of the same bytes.
Tensor whole(const PackedMatrix& matrix) {
  const Tensor numbers = at::empty({matrix.rows, matrix.columns}, at::kFloat);
  decode(matrix.dtype, matrix.bytes,
         {numbers.mutable_data_ptr<float>(), static_cast<size_t>(numbers.numel())});
  return numbers.to(matrix.type);
}

class PackedLinear : public testing::TestWithParam<Dtype> {};

// Prevents: a teacher that grades otherwise when its file is read in a thriftier way. The sizes
// cross the kernels' borders: one row, few, many, more rows than columns, an odd last part.
TEST_P(PackedLinear, InFloat32IsBitEqualToTheDecodedWeight) {
  at::manual_seed(1);
  for (const auto& [N, E, D] :
       {std::tuple(1, 300, 512), std::tuple(7, 1000, 256), std::tuple(40, 777, 512),
        std::tuple(300, 130, 256), std::tuple(1100, 1025, 256)}) {
    const PackedMatrix packed = random_packed(GetParam(), E, D, at::kFloat);
    const Tensor weight_ED = whole(packed), x_ND = at::randn({N, D}), bias_E = at::randn({E});
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
  const PackedMatrix packed = random_packed(GetParam(), 600, 512, at::kBFloat16);
  const Tensor x_ND = at::randn({50, 512}).to(at::kBFloat16);
  const Tensor y = kernels::packed_linear(x_ND, packed, Tensor());
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  const Tensor expected = at::linear(x_ND.to(at::kDouble), whole(packed).to(at::kDouble));
  const double error = (y.to(at::kDouble) - expected).abs().max().item<double>();
  EXPECT_LT(error, 0.005 * expected.abs().max().item<double>());
}

TEST_P(PackedLinear, GivesRowsByNumber) {
  const PackedMatrix packed = random_packed(GetParam(), 10, 256, at::kFloat);
  const Tensor weight = whole(packed);
  EXPECT_TRUE(at::equal(packed.decoded(3, 4), weight.narrow(0, 3, 4)));
  const Tensor rows = at::tensor({9, 0, 0, 5}, at::kLong);
  EXPECT_TRUE(at::equal(packed.decoded(rows), weight.index_select(0, rows)));
  EXPECT_TRUE(at::equal(packed.first(4).decoded(0, 4), weight.narrow(0, 0, 4)));
  EXPECT_EQ(packed.decoded(0, 0).size(0), 0);
}

INSTANTIATE_TEST_SUITE_P(Formats, PackedLinear,
                         testing::Values(Dtype::Q8_0, Dtype::Q4_0, Dtype::Q4_K, Dtype::Q6_K),
                         [](const auto& info) { return name_of(info.param); });

TEST(PackedMatrix, HasNoGradientAndNoRowsBeyondItsLast) {
  const PackedMatrix packed = random_packed(Dtype::Q8_0, 4, 32, at::kFloat);
  const Tensor x = at::randn({2, 32}).requires_grad_();
  EXPECT_THROW(kernels::packed_linear(x, packed, Tensor()), Error);
  EXPECT_THROW(packed.decoded(2, 3), Error);
  EXPECT_THROW(packed.decoded(at::tensor({4}, at::kLong)), Error);
}

}  // namespace
}  // namespace alambic
