// What a GGUF file asks of the drawing of tokens: the tokens that end a completion, those that are
// never drawn, and the sampling that its maker recommends.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <vector>

#include "alambic/io/gguf/value.h"

namespace alambic {

/// Ids that end a completion in llama.cpp, the end of sequence first: those of the keys
/// tokenizer.ggml.{eos,eot,eom,fim_pad,fim_rep,fim_sep}_token_id, and, where the file has no
/// tokenizer.huggingface.json, tokens that llama.cpp knows by their text ("<|im_end|>", …).
std::vector<int64_t> end_tokens_of_gguf(const GgufMetadata& metadata);

/// generation_config.json of the file: bos_token_id, eos_token_id (one or a list), suppress_tokens,
/// and general.sampling.* under transformers' names; what transformers has no name for keeps its
/// own where it changes what llama.cpp draws. Null where the file says nothing. Input errors name
/// file and key.
nlohmann::ordered_json generation_config_of_gguf(const GgufMetadata& metadata);

/// Adds what of a generation_config.json (or null) llama.cpp has keys for, but for its ends of
/// sequence, which the tokenizer's metadata has.
void add_generation_config(const nlohmann::ordered_json& config, GgufMetadata& metadata);

}  // namespace alambic
