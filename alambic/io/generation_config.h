// generation_config.json of a model folder, and the tokens that end a sequence.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "alambic/base/files.h"

namespace alambic {

/// generation_config.json of a model folder, or what a GGUF file says in its place
/// (gguf/generation.h); null where there is none. Input errors name the file.
nlohmann::ordered_json read_generation_config(const fs::path& model);

/// What messages call it: the file's path.
std::string generation_config_name(const fs::path& model);

/// Ids under "eos_token_id" of a generation_config.json or config.json, one or a list, in their
/// order; empty where it names none, or is null.
std::vector<int32_t> eos_token_ids(const nlohmann::ordered_json& config);

/// Ids of a list under "eos_token_id" beside the tokenizer's `eos`: ends of a turn or of a message,
/// in models that have some beside the end of a text.
std::vector<int32_t> further_eos(const nlohmann::ordered_json& config, std::optional<int32_t> eos);

}  // namespace alambic
