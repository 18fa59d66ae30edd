// SentencePiece's compiled normalization rules ("precompiled_charsmap"): a double-array trie from a
// few characters to their replacement.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace alambic {

class Charsmap {
 public:
  /// `blob`: u32 length of the trie in bytes (little endian), the trie's u32 units, and the
  /// replacements, each ended by a zero byte. Empty: no rules. Errors: a length that does not fit.
  explicit Charsmap(std::string_view blob);

  /// Normalized text, as `tokenizers` makes it: a grapheme cluster below six bytes as a whole, else
  /// its characters one by one; the shortest rule that begins there replaces all of it.
  std::string normalize(std::string_view text) const;

 private:
  bool replace(std::string_view part, std::string& out) const;

  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace alambic
