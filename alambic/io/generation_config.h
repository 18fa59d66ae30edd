// generation_config.json of a model folder, and the tokens that end a sequence.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <vector>

#include "alambic/base/files.h"

namespace alambic {

/// generation_config.json of a model folder; null where there is none, as of a GGUF file. Input
/// errors name the file.
nlohmann::ordered_json read_generation_config(const fs::path& model);

/// Token ids that generation_config.json would have, of a configuration that has them itself, as
/// that of a GGUF file.
nlohmann::ordered_json generation_config_of(const nlohmann::ordered_json& config);

/// Ids under "eos_token_id" of a generation_config.json or config.json, one or a list, in their
/// order; empty where it names none, or is null.
std::vector<int32_t> eos_token_ids(const nlohmann::ordered_json& config);

/// First id of a list under "eos_token_id" beside the tokenizer's `eos`: the end of a turn, in
/// models that have one beside the end of a text.
std::optional<int32_t> second_eos(const nlohmann::ordered_json& config, std::optional<int32_t> eos);

/// Makes "eos_token_id" of `config` a list with `id` behind the one that it has; nothing changes
/// where it has none or is that id.
void add_second_eos(nlohmann::ordered_json& config, int64_t id);

}  // namespace alambic
