#pragma once

#include <string>

#include "alambic/model/config.h"
#include "alambic/model/model.h"

namespace alambic {

/// The "text_config" of a model that also sees or hears, as the config.json of the text model
/// alone. Input errors where there is none.
Json text_part(const Config& config, const std::string& architecture,
               const std::string& model_type);

/// What the text model alone calls a tensor of the whole model, in the spellings of transformers
/// 4.50 and 5 and in its own; "" for what sees or hears.
std::string name_in_text_part(const std::string& name);

}  // namespace alambic
