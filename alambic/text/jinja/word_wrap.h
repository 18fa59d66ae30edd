#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace alambic::jinja {

struct WrapStyle {
  size_t width;
  bool break_long_words;
  bool break_on_hyphens;
};

/// A line cut into lines of at most `width` characters, as Python's textwrap.wrap does.
std::vector<std::string> wrap_line(const std::string& line, const WrapStyle& style);

/// The text without tags and comments, white space runs as one blank, five entities resolved.
std::string without_tags(std::string_view text);

}  // namespace alambic::jinja
