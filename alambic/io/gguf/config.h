// config.json of a GGUF file's metadata, and the metadata of a config.json.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "alambic/io/count_limits.h"
#include "alambic/io/gguf/architecture.h"
#include "alambic/io/gguf/gguf.h"

namespace alambic {

/// config.json as transformers would write it. `tensors` are the file's: their shapes and presence
/// say what the metadata does not (vocabulary, tied head, biases, llama3's frequencies) and bound
/// its counts (count_limits.h). Input errors name the key.
nlohmann::ordered_json config_of_gguf(const GgufArchitecture& family, const GgufMetadata& metadata,
                                      const std::vector<TensorView>& tensors);

/// Adds the architecture's hyper-parameters. Refuses, naming file and key, what llama.cpp cannot
/// express, and counts beyond `limits`. Returns the tensors of factors of the frequencies that
/// the model needs.
GgufFrequencies add_gguf_config(const GgufArchitecture& family,
                                const nlohmann::ordered_json& config, const CountLimits& limits,
                                const std::string& where, GgufMetadata& metadata);

}  // namespace alambic
