// What generation_config.json asks of the drawing of tokens.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace alambic {

struct GenerationSettings {
  double repetition_penalty = 1;  ///< 1: none
  std::vector<int32_t> suppress_tokens, begin_suppress_tokens;
  /// Other keys that change what transformers draws and stand at a value that does, with it; and
  /// those that a GGUF file has for llama.cpp alone (gguf/generation.h).
  std::vector<std::pair<std::string, nlohmann::ordered_json>> others;

  /// "repetition_penalty 1.1, suppress_tokens [7, 8]": all but `others`; "" for none.
  std::string processors() const;
};

/// Of a generation_config.json, or null for none. Keys that are null, or at transformers' neutral
/// value, ask for nothing. Input errors name `file` and the key: a penalty that is not above 0, ids
/// that are none.
GenerationSettings generation_settings(const nlohmann::ordered_json& config,
                                       const std::string& file);

}  // namespace alambic
