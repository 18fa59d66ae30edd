#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace alambic {

/// One line of JSON; bytes that are not UTF-8 become U+FFFD.
inline std::string compact_json(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace alambic
