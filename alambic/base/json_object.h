#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

#include "alambic/base/files.h"

namespace alambic {

/// One JSON object, strictly: no name twice in an object, at most 64 levels deep, at most 20,000
/// names in one object unless `Json` sorts them. Input errors begin with "cannot read `where`".
/// `Json` is nlohmann::json or nlohmann::ordered_json.
template <class Json>
Json parse_json_object(std::string_view text, const std::string& where);

/// The JSON object in a file of at most 64 MB, with NaN and the infinities as Python's json reads
/// them; input errors name the file.
nlohmann::ordered_json read_json_object(const fs::path& path);

}  // namespace alambic
