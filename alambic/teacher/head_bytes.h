// A head on its way to another process.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "alambic/flow/head.h"

namespace alambic {

/// The head as a safetensors file (docs/serve.md): "weight" in bfloat16 where it is dense in it,
/// else in float32, "bias" where there is one, scale and softcap as metadata.
std::string head_bytes(const Head& head);

/// The head of such a file. Input errors: those of parse_safetensors, no matrix "weight".
Head head_of_bytes(std::span<const std::byte> bytes, at::Device device);

}  // namespace alambic
