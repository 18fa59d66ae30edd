#pragma once

#include <string>
#include <vector>

namespace alambic {

/// An option that every command takes and no table has.
struct CommonOption {
  std::string name;         ///< without dashes in front
  std::string placeholder;  ///< placeholder of its value; "" for a flag
  std::string help;
};

const std::vector<CommonOption>& common_options();

}  // namespace alambic
