// Facts of an option beside its kind: whether it must be given, what it names, what it goes with.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace alambic {

/// Reason of a condition, and a remedy to try where it does not hold; both may be empty.
struct Because {
  std::string reason, hint;
};

/// A rule about an option and others of its table.
struct Condition {
  enum class Kind { only_with, not_with, required_without };
  Kind kind = Kind::only_with;
  /// Names as on the command line, without dashes: "teacher-cache" is there when it is not empty, 0
  /// or false; "lmbda 0" when it stands at this value; "chat or data" when one of several is there.
  std::string others;
  Because because;
};

/// Facts of one option; every setter returns the same object, so that they are chained.
struct OptionFacts {
  bool is_required = false;
  bool is_path = false;      ///< a file or folder, which a shell completes
  bool is_model = false;     ///< may be a name of the hub
  bool has_weights = false;  ///< a model whose weights are needed too
  std::vector<std::string> former_names;
  std::vector<Condition> conditions;

  /// The option must be given, on the command line or in the file.
  OptionFacts& required() {
    is_required = true;
    return *this;
  }
  OptionFacts& path() {
    is_path = true;
    return *this;
  }
  /// A model: where it is a name of the Hugging Face hub, the program fetches it and puts the
  /// folder in its place. Without `weights` the small files are enough.
  OptionFacts& model(bool weights = true) {
    is_path = is_model = true;
    has_weights = weights;
    return *this;
  }
  /// An older name, which is still taken, with a warning, and shown nowhere.
  OptionFacts& formerly(std::string name) {
    former_names.push_back(std::move(name));
    return *this;
  }

  /// The option has no effect without `others` (see Condition), which is an input error.
  OptionFacts& only_with(std::string others, Because because = {}) {
    return add(Condition::Kind::only_with, std::move(others), std::move(because));
  }
  /// The option has no effect with `others`, or contradicts them, which is an input error.
  OptionFacts& not_with(std::string others, Because because = {}) {
    return add(Condition::Kind::not_with, std::move(others), std::move(because));
  }
  /// The option must be given unless `others` are there.
  OptionFacts& required_without(std::string others) {
    return add(Condition::Kind::required_without, std::move(others), {});
  }

 private:
  OptionFacts& add(Condition::Kind kind, std::string others, Because because) {
    conditions.push_back({kind, std::move(others), std::move(because)});
    return *this;
  }
};

}  // namespace alambic
