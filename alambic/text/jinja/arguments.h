// The arguments of a call, and matching them with parameters.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "alambic/text/jinja/value.h"

namespace alambic::jinja {

struct Arguments {
  Values positional;
  Named named;
};

/// Arguments in the order of the parameters' names. TypeErrors in the manner of Python's: too many,
/// an unknown name, one given twice, a missing one among the first `required`.
class Bound {
 public:
  Bound(std::string_view function, const Arguments& arguments,
        std::initializer_list<std::string_view> names, size_t required = 0);

  /// Null where not given.
  const Value* find(size_t i) const { return values_[i] ? &*values_[i] : nullptr; }
  Value get(size_t i, const Value& otherwise = {}) const {
    return values_[i] ? *values_[i] : otherwise;
  }
  /// TypeErrors when the argument has another type. None counts as not given where `otherwise` is
  /// said to be used for it.
  std::string text(size_t i) const;
  std::string text(size_t i, std::string_view otherwise) const;
  int64_t whole(size_t i) const;
  int64_t whole(size_t i, int64_t otherwise) const;
  bool flag(size_t i, bool otherwise) const;

 private:
  std::string function_;
  std::vector<std::optional<Value>> values_;
};

}  // namespace alambic::jinja
