// Number formats of weight files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alambic {

/// First the formats of safetensors under their names there, in the order of the library's enum, by
/// which it sorts the tensors of a file. Then the block formats of GGUF, in which so many
/// consecutive numbers of a row share scales (decode.h).
enum class Dtype {
  BOOL,
  F4,
  F6_E2M3,
  F6_E3M2,
  U8,
  I8,
  F8_E5M2,
  F8_E4M3,
  F8_E8M0,
  F8_E4M3FNUZ,
  F8_E5M2FNUZ,
  I16,
  U16,
  F16,
  BF16,
  I32,
  U32,
  F32,
  C64,
  F64,
  I64,
  U64,
  Q4_0,
  Q4_1,
  Q5_0,
  Q5_1,
  Q8_0,
  Q2_K,
  Q3_K,
  Q4_K,
  Q5_K,
  Q6_K,
  IQ4_NL,
  MXFP4,
  IQ1_S,
  IQ1_M,
  IQ2_XXS,
  IQ2_XS,
  IQ2_S,
  IQ3_XXS,
  IQ3_S,
  IQ4_XS,
  TQ1_0,
  TQ2_0,
};

std::string name_of(Dtype dtype);
/// The format of safetensors of that name; nothing: it has none.
std::optional<Dtype> dtype_named(std::string_view name);

/// True for the formats of GGUF that code numbers in blocks.
bool is_block(Dtype dtype);
/// Numbers in a block: 32 or 256; 1 for the others.
uint64_t block_numel(Dtype dtype);
/// Bits of a block, or of one number: 4 and 6 for the packed formats of safetensors.
uint64_t block_bits(Dtype dtype);

/// Bytes that shape and dtype make; nothing when the number overflows, ends within a byte, or a row
/// ends within a block.
std::optional<uint64_t> byte_size(Dtype dtype, const std::vector<int64_t>& shape);

}  // namespace alambic
