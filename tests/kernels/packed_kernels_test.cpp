// The kernels of packed rows in every format and every instruction set that runs here.
#include <gtest/gtest.h>

#include "alambic/kernels/cpu.h"
#include "alambic/kernels/packed_product.h"
#include "tests/kernels/numbers.h"
#include "tests/random_packed.h"

namespace alambic::kernels::packed_kernels_test {
namespace {

using namespace alambic::test;

class PackedKernels : public testing::TestWithParam<std::tuple<const CpuTable*, Dtype>> {
 protected:
  const CpuTable& table = *std::get<0>(GetParam());
  const Dtype dtype = std::get<1>(GetParam());

  // Widths that end with a block, or anywhere where numbers stand alone; around the 256 columns of
  // a slab.
  std::vector<int64_t> widths() const {
    if (block_numel(dtype) == 256) return {256, 768};
    if (block_numel(dtype) == 32) return {32, 96, 256, 288, 544};
    return {1, 7, 37, 256, 301};
  }
};

PackedArgs args(const Tensor& a, const PackedMatrix& b, const Tensor& c) {
  const PackedRows rows = packed_rows(b);
  return {.a = a.const_data_ptr<float>(),
          .a_row = a.stride(0),
          .b = rows.bytes,
          .b_row = rows.row_bytes,
          .format = rows.format,
          .block = rows.block,
          .block_bytes = rows.block_bytes,
          .decode = decode_blocks,
          .dtype = static_cast<int>(rows.dtype),
          .tiles = rows.tiles,
          .c = c.mutable_data_ptr<float>(),
          .c_row = c.stride(0),
          .M = a.size(0),
          .K = a.size(1),
          .E = c.size(1),
          .accumulate = false};
}

Tensor dense_product(void (*kernel)(const ProductArgs&), const Tensor& a, const Tensor& b_EK,
                     bool transposed) {
  const Tensor c = at::empty({a.size(0), b_EK.size(transposed ? 0 : 1)});
  kernel({.a = a.const_data_ptr<float>(),
          .a_row = a.stride(0),
          .a_col = 1,
          .b = b_EK.const_data_ptr<float>(),
          .b_row = b_EK.stride(0),
          .c = c.mutable_data_ptr<float>(),
          .c_row = c.stride(0),
          .M = a.size(0),
          .K = a.size(1),
          .E = c.size(1),
          .accumulate = false});
  return c;
}

// Bugs: a field of a block read from the wrong bits, a vector or a row left out at an end, a sum in
// another order than that of the decoded weight.
TEST_P(PackedKernels, EqualTheDecodedWeightBitForBit) {
  const int64_t E = 21;
  for (const int64_t K : widths()) {
    const PackedMatrix packed = random_packed(dtype, E, K, static_cast<unsigned>(K));
    const Tensor weight = decoded_whole(packed);
    for (int64_t M = 1; M <= 40; ++M) {
      const Tensor a = draw({M, K}, 1).to(at::kFloat), c = at::empty({M, E});
      const Tensor exact = at::mm(a.to(at::kDouble), weight.to(at::kDouble).t());
      table.packed_few(args(a, packed, c));
      ASSERT_LT(error(c, exact), 2e-6) << "few: " << M << " rows, " << K << " columns";
      ASSERT_TRUE(at::equal(c, dense_product(table.product_transposed, a, weight, true))) << M;
      table.packed_many(args(a, packed, c));
      ASSERT_LT(error(c, exact), 2e-6) << "many: " << M << " rows, " << K << " columns";
      ASSERT_TRUE(at::equal(c, dense_product(table.product_many_transposed, a, weight, true))) << M;
    }
  }
}

TEST_P(PackedKernels, AddToWhatIsThere) {
  const int64_t E = 9, K = widths().back();
  const PackedMatrix packed = random_packed(dtype, E, K);
  for (const int64_t M : {1, 2, 5, 40}) {
    const Tensor a = draw({M, K}, 1).to(at::kFloat), once = at::empty({M, E});
    for (auto* kernel : {table.packed_few, table.packed_many}) {
      kernel(args(a, packed, once));
      const Tensor sum = once.clone();
      PackedArgs again = args(a, packed, sum);
      again.accumulate = true;
      kernel(again);
      EXPECT_LT(error(sum, once * 2), 2e-6) << M;
    }
  }
}

// The gradient with respect to the inputs, whole and in parts that begin with a block.
TEST_P(PackedKernels, InputGradientsEqualTheDecodedWeightsBitForBit) {
  for (const int64_t columns : widths()) {
    const PackedMatrix packed = random_packed(dtype, 301, columns);
    const Tensor weight = decoded_whole(packed);
    for (const int64_t M : {1, 6, 35}) {
      const Tensor dy = draw({M, 301}, 1).to(at::kFloat), dx = at::empty({M, columns});
      const Tensor expected = dense_product(table.product_many, dy, weight, false);
      table.packed_input_grad(args(dy, packed, dx), 0);
      EXPECT_TRUE(at::equal(dx, expected)) << M << " " << columns;
      const auto block = static_cast<int64_t>(block_numel(dtype));
      if (columns < 2 * block) continue;
      const Tensor rest = at::empty({M, columns - block});
      table.packed_input_grad(args(dy, packed, rest), block);
      EXPECT_TRUE(at::equal(rest, expected.narrow(1, block, columns - block))) << M;
    }
  }
}

// Bug: a scale that is so small that its share of the conversion vanishes.
TEST_P(PackedKernels, KnowTheSmallestAndLargestScales) {
  if (!is_block(dtype)) return;
  const int64_t K = widths().back(), size = static_cast<int64_t>(block_bits(dtype) / 8);
  for (const auto& [upper, lower] : {std::pair(0x00, 0x01), std::pair(0x80, 0x03),
                                     std::pair(0x04, 0x00), std::pair(0x7b, 0xff)}) {
    PackedMatrix packed = random_packed(dtype, 4, K);
    auto bytes = std::make_shared<std::vector<std::byte>>(packed.bytes.begin(), packed.bytes.end());
    for (size_t block = 0; block < bytes->size(); block += static_cast<size_t>(size)) {
      for (const size_t half : halves_of(dtype)) {
        (*bytes)[block + half] = static_cast<std::byte>(lower);
        (*bytes)[block + half + 1] = static_cast<std::byte>(upper);
      }
      if (dtype == Dtype::MXFP4) (*bytes)[block] = static_cast<std::byte>(upper % 0x7b + lower % 4);
    }
    packed.bytes = *bytes;
    const Tensor weight = decoded_whole(packed), a = draw({1, K}, 1).to(at::kFloat);
    const Tensor c = at::empty({1, 4});
    table.packed_few(args(a, packed, c));
    EXPECT_TRUE(at::equal(c, dense_product(table.product_transposed, a, weight, true))) << upper;
  }
}

INSTANTIATE_TEST_SUITE_P(All, PackedKernels,
                         testing::Combine(testing::ValuesIn(cpu_tables()),
                                          testing::ValuesIn(packed_dtypes)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)->name) + "_" +
                                  name_of(std::get<1>(info.param));
                         });

}  // namespace
}  // namespace alambic::kernels::packed_kernels_test
