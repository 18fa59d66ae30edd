#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace alambic {

/// A field of any enum, with the names of its values in the order that `--help` shows. Points to
/// the field, which must outlive it.
class ChoiceField {
 public:
  template <class Enum>
  ChoiceField(Enum& field, const std::vector<std::pair<std::string, Enum>>& values) {
    static_assert(std::is_enum_v<Enum>);
    std::vector<Enum> by_index;
    for (const auto& [name, value] : values) {
      names_.push_back(name);
      by_index.push_back(value);
    }
    get_ = [&field, by_index] {
      size_t index = 0;
      while (index < by_index.size() && by_index[index] != field) ++index;
      return index;
    };
    set_ = [&field, by_index](size_t index) { field = by_index[index]; };
  }

  const std::vector<std::string>& names() const { return names_; }
  /// The name of the field's value. A bug when the value is none of the named ones.
  const std::string& name() const;
  /// False, and nothing is changed, when there is no such name.
  bool set(const std::string& name);

 private:
  std::vector<std::string> names_;
  std::function<size_t()> get_;  // an index into names_, or their number
  std::function<void(size_t)> set_;
};

}  // namespace alambic
