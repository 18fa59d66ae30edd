// Rotary settings between config.json and GGUF metadata. llama.cpp has linear and YaRN scaling as
// metadata, and llama3's and longrope's as tensors of factors that divide the frequencies.
#pragma once

#include <nlohmann/json.hpp>

#include "alambic/io/gguf/architecture.h"

namespace alambic {

/// True for the tensors that divide frequencies: they are settings, no weights.
bool is_gguf_frequencies(std::string_view tensor);

/// "rope_parameters" for config.json, of a head of which `angles` pairs turn. A tensor of
/// frequencies is longrope unless llama3's settings make it. Input errors name the key or tensor.
nlohmann::ordered_json rope_of_gguf(const GgufReading& from, int64_t angles);

/// The reverse; `rope` is a plain object of rope_type, rope_theta, factor, …. Returns the tensors
/// of factors that llama3 and longrope need. Refuses what llama.cpp cannot express.
GgufFrequencies add_gguf_rope(const nlohmann::ordered_json& rope, int64_t head_dim,
                              int64_t positions, const std::string& where,
                              const std::string& prefix, GgufMetadata& metadata);

}  // namespace alambic
