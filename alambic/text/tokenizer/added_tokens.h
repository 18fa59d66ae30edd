// Added tokens: special ones (<s>, <|im_end|>) and others, found in the text before anything else
// looks at it ("added_tokens" of tokenizer.json).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "alambic/text/tokenizer/pair_table.h"

namespace alambic {

class JsonView;

struct AddedToken {
  int32_t id = -1;
  std::string content;
  bool special = false;
  bool lstrip = false;       ///< takes the white space on its left
  bool rstrip = false;       ///< takes the white space on its right
  bool single_word = false;  ///< only where no word character touches it
  bool normalized = false;   ///< looked for in the normalized text
  std::string surface;       ///< its form in decoded text: normalized where `normalized`
};

/// The fields of one added token, without its id. A plain string is a special token.
AddedToken read_added_token(const JsonView& json);

/// A stretch of text: an added token's id, or -1 for text between them.
struct TextPart {
  std::string_view text;
  int32_t id = -1;
};

/// Finds the longest of some texts, from left to right.
class TokenTrie {
 public:
  void insert(std::string_view text, int32_t id);
  /// The id of the longest text that begins at `position`, and its length; -1 when none does.
  int32_t longest_at(std::string_view text, size_t position, size_t& length) const;
  /// `visit(length, id)` for every text that begins at `position`, the shortest first.
  template <class Visit>
  void for_each_prefix(std::string_view text, size_t position, const Visit& visit) const {
    int32_t node = 0;
    for (size_t i = position; i < text.size(); ++i) {
      const int32_t* next = edges_.find(node, static_cast<unsigned char>(text[i]));
      if (!next) return;
      node = *next;
      const int32_t id = id_of_node_[static_cast<size_t>(node)];
      if (id >= 0) visit(i + 1 - position, id);
    }
  }

 private:
  PairTable<int32_t> edges_;
  std::vector<int32_t> id_of_node_ = {-1};
};

class AddedTokens {
 public:
  /// Errors: an empty token, an id that another token has.
  void add(AddedToken token);
  /// Builds the search; `normalize` is the tokenizer's normalizer. `split_special`: special tokens
  /// are not looked for.
  void index(const std::function<std::string(const std::string&)>& normalize, bool split_special);

  /// Cuts text at the tokens that are looked for before normalization, or after it; special ones
  /// stay text where `special` is false.
  std::vector<TextPart> split(std::string_view text, bool normalized, bool special = true) const;

  const AddedToken* find(int32_t id) const;
  const AddedToken* find(std::string_view content) const;
  const std::map<int32_t, AddedToken>& all() const { return tokens_; }

 private:
  std::map<int32_t, AddedToken> tokens_;
  std::unordered_map<std::string, int32_t> ids_;
  TokenTrie before_, after_;
  TokenTrie plain_before_, plain_after_;  // without the special ones
};

}  // namespace alambic
