#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "alambic/base/files.h"

namespace alambic {

enum class HubKind { model, dataset };

/// A model or a data set of the Hugging Face hub.
struct HubName {
  std::string id;                 ///< "org/name"
  std::string revision = "main";  ///< a branch, a tag or a commit
};

/// "org/name" or "org/name@revision"; nothing for a text that is no such name, as "./a/b",
/// "/a/b", "a", "a/b/c", "a/../b".
std::optional<HubName> parse_hub_name(std::string_view text);

/// The folder of its commits in the cache: "models--org--name", "datasets--org--name".
std::string hub_folder_name(const std::string& id, HubKind kind = HubKind::model);

/// The reverse, from the folder that fetch_model returned: "org/name@commit"; "" for other folders.
std::string hub_name_of(const fs::path& snapshot);

/// Forty hexadecimal digits.
bool is_commit(std::string_view text);

}  // namespace alambic
