// The numbers that tensor formats have in GGUF files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "alambic/io/dtype.h"

namespace alambic {

constexpr uint32_t gguf_magic = 0x46554747;  // "GGUF"
constexpr uint64_t gguf_default_alignment = 32;
constexpr uint32_t gguf_max_dimensions = 4;

/// Nothing for a number that is not known, or whose format is not read.
std::optional<Dtype> dtype_of_ggml(uint32_t number);
/// Nothing for the formats that GGUF lacks.
std::optional<uint32_t> ggml_number(Dtype dtype);
/// Name of a format, for messages: "IQ2_XXS"; "" when none has the number.
std::string ggml_name(uint32_t number);

}  // namespace alambic
