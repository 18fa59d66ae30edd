#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "alambic/io/gguf/architecture.h"

namespace alambic {

/// Whether config.json switches a tensor of a Hugging Face folder off: transformers does not read
/// it, and a file that had it would say that it is part of the model. Input errors name `where`.
bool is_switched_off(const GgufArchitecture& family, const nlohmann::ordered_json& config,
                     const std::string& name, const std::string& where);

/// Whether it is no part of the model, or one of the layers for multi-token prediction.
bool is_left_out(const GgufArchitecture& family, const nlohmann::ordered_json& config,
                 const std::string& name);

/// Whether the config.json's head is that of its embedding.
bool is_tied(const GgufArchitecture& family, const nlohmann::ordered_json& config);

/// Whether a tensor is one of the `next` layers for multi-token prediction, which llama.cpp has
/// behind the others or leaves out (DeepSeek-V3); layers' names start with `start`.
bool is_beyond(const std::string& name, const std::string& start, int64_t next,
               const nlohmann::ordered_json& config);

}  // namespace alambic
