#pragma once

#include <memory>
#include <random>
#include <span>
#include <vector>

#include "alambic/io/quant/decode.h"
#include "alambic/io/quant/encode.h"
#include "alambic/io/quant/tile_scales.h"
#include "alambic/tensor/packed_matrix.h"
#include "tests/block_halves.h"

namespace alambic {

/// Formats whose blocks kernels decode themselves, and F32, which they leave to io/quant.
inline const std::vector<Dtype> packed_dtypes = {
    Dtype::F32,  Dtype::BF16, Dtype::F16,    Dtype::F8_E4M3, Dtype::Q4_0, Dtype::Q4_1,
    Dtype::Q5_0, Dtype::Q5_1, Dtype::Q8_0,   Dtype::Q2_K,    Dtype::Q3_K, Dtype::Q4_K,
    Dtype::Q5_K, Dtype::Q6_K, Dtype::IQ4_NL, Dtype::MXFP4};

/// Random F8_E4M3 numbers, none of them NaN, in tiles of 16 × 24.
inline PackedMatrix random_tiles(int64_t rows, int64_t columns, std::mt19937& random,
                                 at::ScalarType type) {
  std::vector<std::byte> bytes(static_cast<size_t>(rows * columns));
  for (std::byte& byte : bytes) {
    const auto bits = static_cast<uint8_t>(random());
    byte = static_cast<std::byte>((bits & 0x7f) == 0x7f ? bits - 1 : bits);
  }
  Tiles tiles{.rows = 16, .columns = 24, .across = (columns + 23) / 24};
  for (int64_t i = 0; i < (rows + 15) / 16 * tiles.across; ++i) {
    tiles.scales.push_back(1e-3F * static_cast<float>(1 + random() % 1000));
  }
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return {.dtype = Dtype::F8_E4M3,
          .rows = rows,
          .columns = columns,
          .bytes = *owner,
          .owner = owner,
          .type = type,
          .tiles = std::make_shared<const Tiles>(std::move(tiles))};
}

/// A matrix of random bits in a format, every field of which takes all its values, with scales
/// around 0.02.
inline PackedMatrix random_packed(Dtype dtype, int64_t rows, int64_t columns, unsigned seed = 1,
                                  at::ScalarType type = at::kFloat) {
  std::mt19937 random(seed);
  if (dtype == Dtype::F8_E4M3) return random_tiles(rows, columns, random, type);
  std::vector<std::byte> bytes;
  if (is_block(dtype)) {
    const size_t size = block_bits(dtype) / 8;
    bytes.resize(static_cast<size_t>(rows * columns) / block_numel(dtype) * size);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    for (size_t block = 0; block < bytes.size(); block += size) {
      for (const size_t half : halves_of(dtype)) {  // sign, exponent 8 to 11 of 31, fraction
        std::byte& upper = bytes[block + half + 1];
        upper = (upper & std::byte{0x8f}) | std::byte{0x20};
      }
      if (dtype == Dtype::MXFP4) {
        bytes[block] = static_cast<std::byte>(118 + std::to_integer<int>(bytes[block]) % 8);
      }
    }
  } else {
    std::normal_distribution<float> normal;
    std::vector<float> numbers(static_cast<size_t>(rows * columns));
    for (float& number : numbers) number = normal(random);
    bytes = encode(dtype, numbers);
  }
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return {.dtype = dtype,
          .rows = rows,
          .columns = columns,
          .bytes = *owner,
          .owner = owner,
          .type = type};
}

/// What loading without `frozen` makes of the same bytes.
inline Tensor decoded_whole(const PackedMatrix& matrix) {
  const Tensor numbers = at::empty({matrix.rows, matrix.columns}, at::kFloat);
  if (matrix.tiles) {
    const auto scales = std::as_bytes(std::span(matrix.tiles->scales));
    decode_tiles({.name = "tiles",
                  .dtype = matrix.dtype,
                  .shape = {matrix.rows, matrix.columns},
                  .bytes = matrix.bytes,
                  .tiles = {scales, matrix.tiles->rows, matrix.tiles->columns}},
                 {numbers.mutable_data_ptr<float>(), static_cast<size_t>(numbers.numel())});
    return numbers.to(matrix.type);
  }
  decode(matrix.dtype, matrix.bytes,
         {numbers.mutable_data_ptr<float>(), static_cast<size_t>(numbers.numel())});
  return numbers.to(matrix.type);
}

}  // namespace alambic
