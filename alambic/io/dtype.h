// Number formats of weight files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace alambic {

/// The names are those of the safetensors format.
enum class Dtype {
  BOOL,
  U8,
  I8,
  F8_E5M2,
  F8_E4M3,
  I16,
  U16,
  F16,
  BF16,
  I32,
  U32,
  F32,
  F64,
  I64,
  U64
};

std::string name_of(Dtype dtype);
std::optional<Dtype> dtype_named(std::string_view name);
uint64_t bytes_of(Dtype dtype);

}  // namespace alambic
