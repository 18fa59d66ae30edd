#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace alambic {

/// A record on one screen: what trained which model, on which chips, from which teachers, under
/// which licenses, on which data; what is unknown and what was overridden. Names with their text,
/// fit to be printed. Input errors: a field that is missing or of another type.
std::vector<std::pair<std::string, std::string>> record_lines(const nlohmann::json& record);

}  // namespace alambic
