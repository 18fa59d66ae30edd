#pragma once

#include <string>

#include "alambic/model/config.h"
#include "alambic/model/model.h"

namespace alambic {

/// The "text_config" of a model that also sees or hears, as the config.json of the text model
/// alone. Input errors where there is none.
Json text_part(const Config& config, const std::string& architecture,
               const std::string& model_type);

/// Name in the text model alone of a tensor of the whole model, which may be spelled as in
/// transformers 4.50 or 5 or in the text model; "" for what sees or hears.
std::string name_in_text_part(const std::string& name);

}  // namespace alambic
