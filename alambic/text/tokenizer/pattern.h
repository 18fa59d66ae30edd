// {"String": "…"} or {"Regex": "…"}: what Replace and Split look for.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "alambic/base/regex.h"

namespace alambic {

class JsonView;

class Pattern {
 public:
  explicit Pattern(std::string text) : what_(std::move(text)) {}
  explicit Pattern(Regex regex) : what_(std::move(regex)) {}
  static Pattern read(const JsonView& json);

  /// Matches from left to right, not overlapping. An empty string matches nowhere.
  std::vector<Range> find_all(std::string_view text) const;
  /// `text` with every match replaced by `content`, taken as it is.
  std::string replace_all(std::string_view text, std::string_view content) const;

 private:
  std::variant<std::string, Regex> what_;
};

/// Errors of the pattern, with the field they came from.
Regex read_regex(const JsonView& json);

}  // namespace alambic
