// config.json as transformers' configuration class makes it of the file: the one reading of it for
// models and for GGUF.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "alambic/io/count_limits.h"

namespace alambic {

/// The configuration of the model of text: config.json itself, or the "text_config" of a model that
/// also sees or hears, with the "architectures" and "model_type" of the text model.
nlohmann::ordered_json text_config(const nlohmann::ordered_json& config, const std::string& where);

/// That configuration with every key of its family (family_keys.def) present and of its type, as
/// transformers 5.23 has them after reading: defaults filled in, other spellings resolved, what
/// follows from other keys worked out ("head_dim", "layer_types", "mlp_layer_types",
/// "no_rope_layers"), "rope_parameters" with a type and every setting of it (complete_rope.h), and
/// none of the keys that mean something in other families only. Differences: an integer is read
/// where a real number is meant; what transformers would fail on, or drop without a word, is an
/// input error that names the key. `layers`: instead of config.json's number; 0: its own. `notes`:
/// where sentences go that a person should know (of two spellings of a key, which one counts). A
/// configuration of an unknown family comes back as it is. Errors: input, also for counts beyond
/// `limits`.
nlohmann::ordered_json complete_config(const nlohmann::ordered_json& config,
                                       const std::string& where, const CountLimits& limits = {},
                                       int64_t layers = 0,
                                       std::vector<std::string>* notes = nullptr);

}  // namespace alambic
