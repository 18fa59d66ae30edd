#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "alambic/io/gguf/architecture.h"
#include "alambic/io/tensor_view.h"

namespace alambic {

/// Whether config.json switches a tensor of a Hugging Face folder off: transformers does not read
/// it, and a file that had it would say that it is part of the model. Input errors name `where`.
bool is_switched_off(const GgufArchitecture& family, const nlohmann::ordered_json& config,
                     const std::string& name, const std::string& where);

/// Whether it is no part of the model, or one of the layers for multi-token prediction.
bool is_left_out(const GgufArchitecture& family, const nlohmann::ordered_json& config,
                 const std::string& name);

/// Refuses a folder without a tensor that its config.json asks for and whose lack would make the
/// file another model: the head (its place would be taken by the embedding) and biases of attention
/// and MLP. Input errors name the first one and `where`.
void check_is_whole(const GgufArchitecture& family, const nlohmann::ordered_json& config,
                    const std::vector<TensorView>& tensors, const std::string& where);

/// Whether the config.json's head is that of its embedding.
bool is_tied(const GgufArchitecture& family, const nlohmann::ordered_json& config);

/// Whether a tensor is one of the `next` layers for multi-token prediction, which llama.cpp has
/// behind the others or leaves out (DeepSeek-V3); layers' names start with `start`.
bool is_beyond(const std::string& name, const std::string& start, int64_t next,
               const nlohmann::ordered_json& config);

}  // namespace alambic
