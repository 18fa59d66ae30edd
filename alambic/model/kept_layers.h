// A model's configuration with some of its layers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alambic/base/json_fields.h"

namespace alambic {

/// Makes `config`, a text model's config.json of `all` layers, that of a model with the layers
/// `kept` of it, rising. What kind a layer is stands in the result: as the file says it, or as
/// follows from other keys and the family's defaults, which would say something else of fewer
/// layers. `count_key` is the key of their number; errors are those of complete_config().
void keep_layers(nlohmann::ordered_json& config, const std::string& where,
                 const std::string& count_key, int64_t all, const std::vector<int64_t>& kept);

}  // namespace alambic
