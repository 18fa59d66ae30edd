// What the head of a data set's README.md says of its files, as `datasets` reads it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alambic {

/// A configuration of a data set: an entry of `configs`.
struct DataConfiguration {
  std::string name;
  std::string folder;  ///< data_dir; its files are then chosen by their names
  bool is_default = false;
  /// data_files: split and patterns of paths.
  std::vector<std::pair<std::string, std::vector<std::string>>> splits;
  std::string unread;  ///< a key that changes how the files are read and that we do not; "": none
};

/// Those of a README.md, in its order; none where it has no `configs`. Input errors name `where`
/// and the line or the key.
std::vector<DataConfiguration> data_configurations(std::string_view readme,
                                                   const std::string& where);

/// Whether a path matches a pattern: "?" and "*" do not go beyond a "/", "**" does, "[ab]" is one
/// of these. Hidden parts (.name, __name) match only where the pattern names them.
bool matches_path(std::string_view pattern, std::string_view path);

}  // namespace alambic
