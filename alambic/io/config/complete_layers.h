#pragma once

#include "alambic/io/config/family_keys.h"

namespace alambic {

/// Works out what follows from other keys, by the family's __post_init__ in transformers: heads and
/// their width, the kind of every layer. `config` has every key of the family, typed, and a number
/// of layers that may be looped over.
void complete_layers(const FamilyKeys& family, const std::string& where,
                     nlohmann::ordered_json& config, ConfigNotes& notes);

}  // namespace alambic
