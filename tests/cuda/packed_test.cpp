// Packed weights decode as io/quant decodes them, bit for bit, and multiply as those.
#include <cmath>
#include <random>

#include "alambic/io/quant/decode.h"
#include "alambic/io/quant/mxfp4.h"
#include "alambic/io/quant/tile_scales.h"
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
    all.scales = scales.data();
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

// Blocks of ggml's; half-precision scales at these places of a block are made small and finite.
Packed blocks(const std::string& name, DevicePacked format, Dtype dtype, int64_t block,
              int64_t block_bytes, const std::vector<int>& halves, int64_t R, int64_t C) {
  std::vector<uint8_t> bytes = random_bytes(R * C / block * block_bytes, 4);
  for (size_t at = 0; at < bytes.size(); at += block_bytes) {
    for (const int half : halves)
      bytes[at + half + 1] = bytes[at + half + 1] % 64 + 128 * (at % 3 == 0);
    if (dtype == Dtype::MXFP4) bytes[at] = at == 0 ? 0 : at == 17 ? 1 : 110 + bytes[at] % 20;
  }
  std::vector<float> numbers(R * C);
  decode(dtype, as_bytes(bytes), numbers);
  return {name,
          Memory<uint8_t>(bytes),
          Memory<uint8_t>(size_t{1}),
          {.bytes = nullptr,
           .row_bytes = C / block * block_bytes,
           .scales = nullptr,
           .tile = 0,
           .format = format,
           .R = R,
           .C = C},
          numbers};
}

// DeepSeek's tiles, the last ones partial.
Packed fp8(int64_t R, int64_t C, int64_t tile) {
  std::vector<uint8_t> bytes = random_bytes(R * C, 5);
  for (uint8_t& byte : bytes) {
    if ((byte & 0x7f) == 0x7f) byte = 0x81;  // no NaN, a subnormal
  }
  const int64_t tiles = (R + tile - 1) / tile * ((C + tile - 1) / tile);
  std::vector<float> scales;
  for (const double scale : normal(tiles, 6, 1e-2)) scales.push_back(static_cast<float>(scale));
  std::vector<uint8_t> scale_bytes(tiles * 4);
  std::memcpy(scale_bytes.data(), scales.data(), scale_bytes.size());
  TensorView view{.name = "w", .dtype = Dtype::F8_E4M3, .shape = {R, C}, .bytes = as_bytes(bytes)};
  view.tiles = {.bytes = as_bytes(scale_bytes), .rows = tile, .columns = tile};
  std::vector<float> numbers(R * C);
  decode_tiles(view, numbers);
  return {"fp8",
          Memory<uint8_t>(bytes),
          Memory<uint8_t>(scale_bytes),
          {.bytes = nullptr,
           .row_bytes = C,
           .scales = nullptr,
           .tile = tile,
           .format = DevicePacked::fp8_tiles,
           .R = R,
           .C = C},
          numbers};
}

// gpt-oss's blocks and scales, [rows, groups, 16] and [rows, groups].
Packed mxfp4_split(int64_t R, int64_t C) {
  const std::vector<uint8_t> bytes = random_bytes(R * C / 2, 7);
  std::vector<uint8_t> scales = random_bytes(R * C / 32, 8);
  for (uint8_t& scale : scales) scale = 110 + scale % 20;
  std::vector<float> numbers(R * C);
  for (int64_t i = 0; i < R * C; ++i) {
    const int both = bytes[i / 2];
    numbers[i] =
        e2m1_to_float(i % 2 == 0 ? both & 15 : both >> 4) * std::ldexp(1.0f, scales[i / 32] - 127);
  }
  return {"mxfp4 of gpt-oss",
          Memory<uint8_t>(bytes),
          Memory<uint8_t>(scales),
          {.bytes = nullptr,
           .row_bytes = C / 2,
           .scales = nullptr,
           .tile = 0,
           .format = DevicePacked::mxfp4_split,
           .R = R,
           .C = C},
          numbers};
}

std::vector<Packed> every_format() {
  return {blocks("q8_0", DevicePacked::q8_0, Dtype::Q8_0, 32, 34, {0}, 5, 96),
          blocks("q4_k", DevicePacked::q4_k, Dtype::Q4_K, 256, 144, {0, 2}, 3, 512),
          blocks("q6_k", DevicePacked::q6_k, Dtype::Q6_K, 256, 210, {208}, 3, 512),
          blocks("mxfp4", DevicePacked::mxfp4, Dtype::MXFP4, 32, 17, {}, 5, 96),
          fp8(7, 21, 4),
          mxfp4_split(4, 64)};
}

TEST(DevicePackedRows, DecodeToTheBitsOfTheFile) {
  for (Packed& packed : every_format()) {
    const auto [R, C] = std::pair(packed.rows.R, packed.rows.C);
    Memory<float> y(R * C);
    under_test().unpack({packed.on_device(), 0, R, nullptr, y.data(), DeviceNumber::f32}, nullptr);
    EXPECT_EQ(y.values(), packed.numbers) << packed.name;
    // Two rows from the second on, and rows by name, in bfloat16.
    Numbers some(DeviceNumber::bf16, 2 * C), named(DeviceNumber::bf16, 2 * C);
    Memory<int64_t> ids(std::vector<int64_t>{R - 1, 0});
    under_test().unpack({packed.on_device(), 1, 2, nullptr, some.data(), DeviceNumber::bf16},
                        nullptr);
    under_test().unpack({packed.on_device(), 0, 2, ids.data(), named.data(), DeviceNumber::bf16},
                        nullptr);
    const auto rounded = [&](int64_t first, int64_t second) {
      std::vector<double> wide;
      for (const int64_t r : {first, second}) {
        wide.insert(wide.end(), packed.numbers.begin() + r * C,
                    packed.numbers.begin() + (r + 1) * C);
      }
      return Numbers(DeviceNumber::bf16, wide).values();
    };
    EXPECT_EQ(some.values(), rounded(1, 2)) << packed.name;
    EXPECT_EQ(named.values(), rounded(R - 1, 0)) << packed.name;
  }
}

TEST(DevicePackedFew, AreProductsWithTheDecodedRows) {
  for (const DeviceNumber type : both_types) {
    for (Packed& packed : every_format()) {
      for (const int64_t N : {int64_t{1}, int64_t{3}, packed_few_rows}) {
        const auto [R, C] = std::pair(packed.rows.R, packed.rows.C);
        Numbers x(type, normal(N * C, 1)), bias(type, normal(R, 2)), y(type, N * R);
        in_both_orders([&] {
          under_test().packed_few({.rows = packed.on_device(),
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
            for (int64_t c = 0; c < C; ++c) sum += wide[n * C + c] * packed.numbers[r * C + c];
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
