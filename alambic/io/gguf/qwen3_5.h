// What the architectures qwen35 and qwen35moe of GGUF say in other words than Qwen3.5's
// config.json: sizes of the linear attention under the keys of state-space models, every how many
// layers there is a full one (llama.cpp's conversion/qwen.py and src/models/qwen35.cpp).
#pragma once

#include <nlohmann/json.hpp>

#include "alambic/io/gguf/gguf.h"

namespace alambic {

/// Completes `config`, which has the plain settings and "rope_parameters"; `prefix` is
/// "<architecture>.". Input errors name the file and the key.
void read_qwen3_5(const GgufMetadata& metadata, const std::string& prefix,
                  nlohmann::ordered_json& config);

/// The reverse, completing `config` by what transformers takes where it says nothing. Refuses,
/// naming file and key, layers that are in no regular order.
void add_qwen3_5(nlohmann::ordered_json& config, const std::string& where,
                 const std::string& prefix, GgufMetadata& metadata);

}  // namespace alambic
