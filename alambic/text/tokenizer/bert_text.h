// BERT's cleaning of text, character by character, and its relatives: the normalizers
// BertNormalizer, StripAccents and Nmt of tokenizer.json.
#pragma once

#include <string>
#include <string_view>

namespace alambic {

class JsonView;

struct BertOptions {
  bool clean_text = true;            ///< no control characters; white space becomes spaces
  bool handle_chinese_chars = true;  ///< spaces around every ideograph
  bool strip_accents = true;         ///< decomposes, and drops the nonspacing marks
  bool lowercase = true;
};

/// `strip_accents` is `lowercase` where the file leaves it out.
BertOptions read_bert_options(const JsonView& json);

std::string bert_normalize(std::string text, const BertOptions& options);

/// The text without combining marks (categories Mn, Mc, Me); nothing is decomposed.
std::string strip_accents(std::string_view text);

/// The text without control characters; unusual white space becomes a space.
std::string nmt_normalize(std::string_view text);

}  // namespace alambic
