#include "alambic/options/choice_field.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/names.h"

namespace alambic {

const std::string& ChoiceField::name() const {
  const size_t index = get_();
  check(index < names_.size(), "a choice stands at none of its values: {}", join(names_));
  return names_[index];
}

bool ChoiceField::set(const std::string& name) {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) return false;
  set_(static_cast<size_t>(found - names_.begin()));
  return true;
}

}  // namespace alambic
