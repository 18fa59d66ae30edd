// Number formats of weight files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace alambic {

/// The names are those of the safetensors format. The order is that of the safetensors library's
/// enum, by which it sorts the tensors of a file.
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
};

std::string name_of(Dtype dtype);
std::optional<Dtype> dtype_named(std::string_view name);
/// Of one number; 4 and 6 for the packed formats, else a multiple of 8.
uint64_t bits_of(Dtype dtype);

}  // namespace alambic
