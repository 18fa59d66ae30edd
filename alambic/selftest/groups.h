#pragma once

#include <string>
#include <vector>

#include "alambic/selftest/property.h"

namespace alambic::selftest {

struct Group {
  std::string title;
  std::vector<Property> properties;
};

/// All properties, in the order in which they are run.
std::vector<Group> all_groups();

/// Those whose line has `only` in it, or the one with this id; empty groups are left out. An empty
/// `only` chooses all.
std::vector<Group> chosen_groups(const std::string& only);

/// "what holds | prevents: the bug".
std::string line_of(const Property& property);

}  // namespace alambic::selftest
