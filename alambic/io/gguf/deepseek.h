// What the architectures deepseek2 and deepseek32 of GGUF say in other words than DeepSeek's
// config.json: one architecture for V2 and V3, widths of heads with and without absorption, YaRN's
// magnitude.
#pragma once

#include <nlohmann/json.hpp>

#include "alambic/io/gguf/gguf.h"

namespace alambic {

/// Completes `config`, which has the plain settings; `prefix` is "<architecture>.". V3 is what has
/// sigmoid scores or their correction. Input errors name the file and the key.
void read_deepseek(const GgufMetadata& metadata, const std::string& prefix,
                   const std::vector<TensorView>& tensors, nlohmann::ordered_json& config);

/// The reverse; `rope` is a plain object of rope_type, rope_theta, factor, …. Refuses a YaRN
/// magnitude and an order of layers that llama.cpp has not.
void add_deepseek(const nlohmann::ordered_json& config, nlohmann::ordered_json rope,
                  const std::string& where, const std::string& prefix, GgufMetadata& metadata);

}  // namespace alambic
