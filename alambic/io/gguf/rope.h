// Rotary settings between config.json and GGUF metadata. llama.cpp knows linear and YaRN scaling by
// metadata, and llama3's by a tensor of factors that divide the frequencies.
#pragma once

#include <nlohmann/json.hpp>

#include "alambic/io/gguf/gguf.h"

namespace alambic {

/// "rope_parameters" for config.json. `prefix` is "<architecture>.".
nlohmann::ordered_json rope_of_gguf(const GgufMetadata& metadata, const std::string& prefix,
                                    const std::vector<TensorView>& tensors, double default_theta);

/// The reverse; `rope` is a plain object of rope_type, rope_theta, factor, …. Returns llama3's
/// factors, empty for other types. Refuses other types and what YaRN in llama.cpp cannot express.
std::vector<float> add_gguf_rope(const nlohmann::ordered_json& rope, int64_t head_dim,
                                 int64_t positions, const std::string& where,
                                 const std::string& prefix, GgufMetadata& metadata);

}  // namespace alambic
