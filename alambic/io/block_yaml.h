// YAML as the head of a data set's README.md has it: mappings and lists by indentation, lists and
// mappings in brackets within a line, plain and quoted texts, comments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace alambic {

struct YamlValue {
  enum class Kind { text, list, mapping };
  Kind kind = Kind::text;
  std::string text;  ///< as it is written, without quotes: numbers, true and null are texts too
  std::vector<std::string> keys;  ///< of a mapping
  std::vector<YamlValue> items;   ///< of a list, or the values of a mapping's keys

  /// Null where there is none.
  const YamlValue* find(std::string_view key) const;
};

/// The value under one key of the outermost mapping, whose other keys are not looked at; an empty
/// text where the key is not there. Input errors name `where` and the line: texts over several
/// lines
/// (| and >), anchors, tags, broken indentation. `first_line`: number of the text's first line.
YamlValue yaml_member(std::string_view text, std::string_view key, const std::string& where,
                      int first_line);

}  // namespace alambic
