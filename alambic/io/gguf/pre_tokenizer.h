// Rules by which the values of tokenizer.ggml.pre cut text into words.
#pragma once

#include <nlohmann/json.hpp>

#include <span>
#include <string_view>

namespace alambic {

struct GgufPreTokenizer {
  std::string_view name;
  /// Regular expressions whose matches are cut out, one after another; "" is GPT-2's own, which
  /// ByteLevel has.
  std::span<const std::string_view> patterns;
  bool ignore_merges = false;  ///< a word that is a token is not merged
  bool adds_bos = false;       ///< default of a file that does not say
  bool nfc = false;            ///< the Hugging Face tokenizer normalizes first
};

/// Null when the name is not known.
const GgufPreTokenizer* gguf_pre_tokenizer(std::string_view name);

/// "pre_tokenizer" of tokenizer.json.
nlohmann::json pre_tokenizer_json(const GgufPreTokenizer& pre);

/// The first entry that cuts as this tokenizer.json does; null when llama.cpp has none.
const GgufPreTokenizer* find_pre_tokenizer(const nlohmann::json& tokenizer);

}  // namespace alambic
