#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace alambic {

/// Says that the repetition penalty and the suppressed tokens of a model's generation_config.json
/// are not applied, and why; nothing where it has none. Input errors: those of generation_settings.
void say_left_out(const nlohmann::ordered_json& generation_config, const std::string& model,
                  const std::string& why);

}  // namespace alambic
