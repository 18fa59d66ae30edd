#pragma once

#include <nlohmann/json.hpp>

#include <string>

#include "alambic/model/config.h"

namespace alambic {

/// "text_config" in the config.json of a model that also sees, as the configuration of the text
/// model alone, of the given architecture and model_type: what such a model is built from and saved
/// with.
nlohmann::ordered_json text_part(const Config& config, const std::string& architecture,
                                 const std::string& model_type);

}  // namespace alambic
