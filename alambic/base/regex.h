// Regular expressions of tokenizer.json. Hugging Face runs them in Oniguruma (Ruby syntax), we in
// PCRE2 (UTF, UCP, JIT): the pattern is translated where the two read it differently.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace alambic {

/// Bytes [begin, end) of some text.
struct Range {
  size_t begin = 0;
  size_t end = 0;
  bool operator==(const Range&) const = default;
};

/// The same pattern for PCRE2: `\s` without U+180E, `\w` with marks, `\h` as a hexadecimal digit.
/// Errors: a class inside a class and `&&` in a class, which PCRE2 10.42 reads as something else.
std::string translate_regex(std::string_view pattern);

class Regex {
 public:
  /// Errors: a pattern that does not compile, with PCRE2's reason and the place.
  explicit Regex(std::string_view pattern);

  /// All matches from left to right, not overlapping; `text` must be valid UTF-8. Safe from many
  /// threads. Errors: a pattern that backtracks more than `match_limit` steps at one place.
  std::vector<Range> find_all(std::string_view text) const;

  static constexpr unsigned match_limit = 2'000'000;

 private:
  struct Compiled;
  std::string pattern_;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace alambic
