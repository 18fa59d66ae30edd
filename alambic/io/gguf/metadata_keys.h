// The metadata that llama.cpp reads of the architectures that are read here, and what becomes of
// them: so that nothing that counts is passed over.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

#include "alambic/io/gguf/architecture.h"

namespace alambic {

enum class GgufKeyUse {
  read,  ///< becomes config.json's
  held,  ///< must be what the model has anyway; refused otherwise
  none,  ///< changes no logits, in llama.cpp either
};

/// A key after "<architecture>.".
struct GgufKey {
  std::string_view name;
  GgufKeyUse use;
  /// Architectures that it is for, a space between; "": all.
  std::string_view architectures = {};
};

/// What llama.cpp reads (found by giving build 11549 each key in a wrong type). A later row is of
/// other architectures.
std::span<const GgufKey> gguf_keys();
/// Row of the key for the architecture; null: llama.cpp does not read it.
const GgufKey* gguf_key(std::string_view architecture, std::string_view name);

/// Checks the keys that are held; `config` is what the file has become. Input errors name the key.
void check_held_keys(const GgufReading& from, const nlohmann::ordered_json& config);

}  // namespace alambic
