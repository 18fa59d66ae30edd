#pragma once

#include <nlohmann/json.hpp>

#include <string>

#include "alambic/base/files.h"
#include "alambic/io/gguf/value.h"

namespace alambic {

/// Metadata of the tokenizer of a model folder or GGUF file, for a GGUF file of the model with this
/// `config` (config.json, whose vocab_size is the rows of the embedding) and `generation_config`
/// (null: none). `note` becomes what a user should know of it: that there is no tokenizer, or none
/// that llama.cpp has a kind for, or more ends of sequence than GGUF has keys for; "" otherwise. An
/// input error where vocab_size is no number that holds the tokenizer's tokens.
GgufMetadata gguf_metadata_of_tokenizer(const fs::path& model, const nlohmann::ordered_json& config,
                                        const nlohmann::ordered_json& generation_config,
                                        std::string& note);

}  // namespace alambic
