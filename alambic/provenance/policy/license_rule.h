#pragma once

#include <nlohmann/json.hpp>

#include "alambic/base/files.h"

namespace alambic {

/// A model's license as its record has it, so that those who come after know it too: where the text
/// beside the model is one that a shipped rule knows by its title, the id is that rule's.
nlohmann::json license_by_rules(const fs::path& model);

}  // namespace alambic
