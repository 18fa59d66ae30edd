#include "alambic/text/jinja/arguments.h"

#include <algorithm>

#include "alambic/text/jinja/long_whole.h"
#include "alambic/text/jinja/whole.h"

namespace alambic::jinja {

Bound::Bound(std::string_view function, const Arguments& arguments,
             std::initializer_list<std::string_view> names, size_t required)
    : function_(function), values_(names.size()) {
  if (arguments.positional.size() > names.size()) {
    throw type_error("{}() takes at most {} argument{} ({} given)", function, names.size(),
                     names.size() == 1 ? "" : "s", arguments.positional.size());
  }
  std::ranges::copy(arguments.positional, values_.begin());
  for (const auto& [name, value] : arguments.named) {
    const auto* found = std::ranges::find(names, name);
    if (found == names.end()) {
      throw type_error("{}() got an unexpected keyword argument '{}'", function, name);
    }
    auto& place = values_[static_cast<size_t>(found - names.begin())];
    if (place) throw type_error("{}() got multiple values for argument '{}'", function, name);
    place = value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (values_[i]) continue;
    throw type_error("{}() missing required argument: '{}'", function, *(names.begin() + i));
  }
}

std::string Bound::text(size_t i) const {
  const Value value = get(i);
  if (const auto* missing = value.as<Undefined>()) missing->fail();
  if (!value.is_string()) {
    throw type_error("{}(): argument {} must be str, not {}", function_, i + 1, type_name(value));
  }
  return *value.string();
}

std::string Bound::text(size_t i, std::string_view otherwise) const {
  return values_[i] && !values_[i]->is_none() ? text(i) : std::string(otherwise);
}

int64_t Bound::whole(size_t i) const {
  const Value value = get(i);
  if (const auto* missing = value.as<Undefined>()) missing->fail();
  if (value.as<LongWhole>() != nullptr) throw too_long_number();
  if (!value.is_whole()) {
    throw type_error("{}(): '{}' object cannot be interpreted as an integer", function_,
                     type_name(value));
  }
  return value.whole();
}

int64_t Bound::whole(size_t i, int64_t otherwise) const {
  return values_[i] && !values_[i]->is_none() ? whole(i) : otherwise;
}

bool Bound::flag(size_t i, bool otherwise) const {
  return values_[i] ? truthy(*values_[i]) : otherwise;
}

}  // namespace alambic::jinja
