// Packed weights decode as io/quant decodes them, bit for bit, and multiply as those.
#include <cmath>
#include <random>

#include "alambic/io/quant/decode.h"
#include "alambic/io/quant/tile_scales.h"
#include "tests/block_halves.h"
#include "tests/cuda/memory.h"

namespace alambic::kernels::packed_test {
namespace {

using namespace alambic::test;

struct Packed {
  std::string name;
  Memory<uint8_t> bytes;
  Memory<uint8_t> scales;
  DevicePackedRows rows;
  std::vector<float> numbers;  // by io/quant

  DevicePackedRows on_device() {
    DevicePackedRows all = rows;
    all.bytes = bytes.data();
    all.scales = reinterpret_cast<const float*>(scales.data());
    return all;
  }
};

std::vector<uint8_t> random_bytes(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

std::span<const std::byte> as_bytes(const std::vector<uint8_t>& bytes) {
  return std::as_bytes(std::span(bytes));
}

// Blocks of ggml's; their half-precision scales are made small and finite.
Packed blocks(DevicePacked format, Dtype dtype) {
  const auto block = static_cast<int64_t>(block_numel(dtype));
  const auto block_bytes = static_cast<int64_t>(block_bits(dtype) / 8);
  const int64_t R = 4, C = block == 32 ? 96 : 512;
  std::vector<uint8_t> bytes = random_bytes(R * C / block * block_bytes, 4);
  for (size_t at = 0; at < bytes.size(); at += block_bytes) {
    for (const size_t half : halves_of(dtype))
      bytes[at + half + 1] = bytes[at + half + 1] % 64 + 128 * (at % 3 == 0);
    if (dtype == Dtype::MXFP4) bytes[at] = at == 0 ? 0 : at == 17 ? 1 : 110 + bytes[at] % 20;
  }
  std::vector<float> numbers(R * C);
  decode(dtype, as_bytes(bytes), numbers);
  return {name_of(dtype),
          Memory<uint8_t>(bytes),
          Memory<uint8_t>(size_t{1}),
          {.bytes = nullptr,
           .row_bytes = C / block * block_bytes,
           .scales = nullptr,
           .tile_rows = 1,
           .tile_columns = 1,
           .format = format,
           .first = 0,
           .R = R,
           .C = C},
          numbers};
}

// DeepSeek's tiles, the last ones partial.
Packed fp8() {
  constexpr int64_t R = 7, C = 21, rows = 4, columns = 5;
  std::vector<uint8_t> bytes = random_bytes(R * C, 5);
  for (uint8_t& byte : bytes) {
    if ((byte & 0x7f) == 0x7f) byte = 0x81;  // no NaN, a subnormal
  }
  const int64_t tiles = (R + rows - 1) / rows * ((C + columns - 1) / columns);
  std::vector<float> scales;
  for (const double scale : normal(tiles, 6, 1e-2)) scales.push_back(static_cast<float>(scale));
  std::vector<uint8_t> scale_bytes(tiles * 4);
  std::memcpy(scale_bytes.data(), scales.data(), scale_bytes.size());
  TensorView view{.name = "w", .dtype = Dtype::F8_E4M3, .shape = {R, C}, .bytes = as_bytes(bytes)};
  view.tiles = {.bytes = as_bytes(scale_bytes), .rows = rows, .columns = columns};
  std::vector<float> numbers(R * C);
  decode_tiles(view, numbers);
  return {"fp8",
          Memory<uint8_t>(bytes),
          Memory<uint8_t>(scale_bytes),
          {.bytes = nullptr,
           .row_bytes = C,
           .scales = nullptr,
           .tile_rows = rows,
           .tile_columns = columns,
           .format = DevicePacked::fp8_tiles,
           .first = 0,
           .R = R,
           .C = C},
          numbers};
}

std::vector<Packed> every_format() {
  std::vector<Packed> all;
  for (const auto& [format, dtype] :
       {std::pair(DevicePacked::q4_0, Dtype::Q4_0), std::pair(DevicePacked::q4_1, Dtype::Q4_1),
        std::pair(DevicePacked::q5_0, Dtype::Q5_0), std::pair(DevicePacked::q5_1, Dtype::Q5_1),
        std::pair(DevicePacked::q8_0, Dtype::Q8_0), std::pair(DevicePacked::q2_k, Dtype::Q2_K),
        std::pair(DevicePacked::q3_k, Dtype::Q3_K), std::pair(DevicePacked::q4_k, Dtype::Q4_K),
        std::pair(DevicePacked::q5_k, Dtype::Q5_K), std::pair(DevicePacked::q6_k, Dtype::Q6_K),
        std::pair(DevicePacked::iq4_nl, Dtype::IQ4_NL),
        std::pair(DevicePacked::mxfp4, Dtype::MXFP4)}) {
    all.push_back(blocks(format, dtype));
  }
  all.push_back(fp8());
  return all;
}

TEST(DevicePackedRows, DecodeToTheBitsOfTheFile) {
  for (Packed& packed : every_format()) {
    const auto [R, C] = std::pair(packed.rows.R, packed.rows.C);
    Memory<float> y(R * C);
    under_test().unpack({packed.on_device(), nullptr, R, y.data(), DeviceNumber::f32}, nullptr);
    EXPECT_EQ(y.values(), packed.numbers) << packed.name;
    // Two rows from the second on, and rows of those behind the first by name, in bfloat16.
    Numbers some(DeviceNumber::bf16, 2 * C), named(DeviceNumber::bf16, 2 * C);
    Memory<int64_t> ids(std::vector<int64_t>{R - 2, 0});
    DevicePackedRows behind = packed.on_device();
    behind.first = 1;
    behind.R = R - 1;
    under_test().unpack({behind, nullptr, 2, some.data(), DeviceNumber::bf16}, nullptr);
    under_test().unpack({behind, ids.data(), 2, named.data(), DeviceNumber::bf16}, nullptr);
    const auto rounded = [&](int64_t first, int64_t second) {
      std::vector<double> wide;
      for (const int64_t r : {first, second}) {
        wide.insert(wide.end(), packed.numbers.begin() + r * C,
                    packed.numbers.begin() + (r + 1) * C);
      }
      return Numbers(DeviceNumber::bf16, wide).values();
    };
    EXPECT_EQ(some.values(), rounded(1, 2)) << packed.name;
    EXPECT_EQ(named.values(), rounded(R - 1, 1)) << packed.name;
  }
}

TEST(DevicePackedFew, AreProductsWithTheDecodedRows) {
  for (const DeviceNumber type : both_types) {
    for (Packed& packed : every_format()) {
      for (const int64_t N : {int64_t{1}, int64_t{3}, packed_few_rows + 2}) {
        // Of all rows but the first.
        const auto [R, C] = std::pair(packed.rows.R - 1, packed.rows.C);
        DevicePackedRows rows = packed.on_device();
        rows.first = 1;
        rows.R = R;
        Numbers x(type, normal(N * C, 1)), bias(type, normal(R, 2)), y(type, N * R);
        in_both_orders([&] {
          under_test().packed_few({.rows = rows,
                                   .matrices = 1,
                                   .x = x.data(),
                                   .x_row = C,
                                   .bias = bias.data(),
                                   .y = y.data(),
                                   .y_row = R,
                                   .N = N,
                                   .type = type},
                                  nullptr);
          return y.values();
        });
        const auto wide = x.values();
        std::vector<double> expected;
        for (int64_t n = 0; n < N; ++n) {
          for (int64_t r = 0; r < R; ++r) {
            double sum = bias.values()[r];
            for (int64_t c = 0; c < C; ++c)
              sum += wide[n * C + c] * packed.numbers[(r + 1) * C + c];
            expected.push_back(sum);
          }
        }
        EXPECT_LT(error(y.values(), expected), tolerance(type)) << packed.name << " " << N;
      }
    }
  }
}

}  // namespace
}  // namespace alambic::kernels::packed_test
