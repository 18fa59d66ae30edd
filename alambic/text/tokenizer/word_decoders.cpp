#include "alambic/text/tokenizer/word_decoders.h"

#include "alambic/base/json_view.h"
#include "alambic/text/tokenizer/pattern.h"

namespace alambic {
namespace {

using Tokens = std::vector<std::string>;

std::string replace(std::string_view text, std::string_view from, std::string_view to) {
  return Pattern(std::string(from)).replace_all(text, to);
}

// English punctuation without the space before it, as transformers' clean_up_tokenization.
std::string clean_up(std::string text) {
  static constexpr std::pair<std::string_view, std::string_view> rules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
  };
  for (const auto& [from, to] : rules) text = replace(text, from, to);
  return text;
}

struct WordPieceDecoder : TokenDecoder {
  std::string prefix = "##";
  bool cleanup = true;
  Tokens decode(Tokens tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0 && tokens[i].starts_with(prefix)) {
        tokens[i].erase(0, prefix.size());
      } else if (i > 0) {
        tokens[i].insert(tokens[i].begin(), ' ');
      }
      if (cleanup) tokens[i] = clean_up(std::move(tokens[i]));
    }
    return tokens;
  }
};

// Words end with the suffix.
struct BpeDecoder : TokenDecoder {
  std::string suffix = "</w>";
  Tokens decode(Tokens tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = replace(tokens[i], suffix, i + 1 == tokens.size() ? "" : " ");
    }
    return tokens;
  }
};

// One token per frame of sound: repeats are one, padding is none.
struct CtcDecoder : TokenDecoder {
  std::string padding = "<pad>";
  std::string delimiter = "|";
  bool cleanup = true;
  Tokens decode(Tokens tokens) const override {
    Tokens out;
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0 && tokens[i] == tokens[i - 1]) continue;
      std::string token = replace(tokens[i], padding, "");
      if (cleanup) token = replace(clean_up(std::move(token)), delimiter, " ");
      if (!token.empty()) out.push_back(std::move(token));
    }
    return out;
  }
};

// Text that is looked for: never empty.
std::string wanted(const JsonView& json, std::string_view name, std::string_view otherwise) {
  std::string text = json.string_or(name, otherwise);
  if (text.empty()) throw json.at(name).wrong("expected some text");
  return text;
}

}  // namespace

std::unique_ptr<TokenDecoder> read_word_piece_decoder(const JsonView& json) {
  auto decoder = std::make_unique<WordPieceDecoder>();
  decoder->prefix = json.string_or("prefix", decoder->prefix);
  decoder->cleanup = json.boolean_or("cleanup", true);
  return decoder;
}

std::unique_ptr<TokenDecoder> read_bpe_decoder(const JsonView& json) {
  auto decoder = std::make_unique<BpeDecoder>();
  decoder->suffix = wanted(json, "suffix", decoder->suffix);
  return decoder;
}

std::unique_ptr<TokenDecoder> read_ctc_decoder(const JsonView& json) {
  auto decoder = std::make_unique<CtcDecoder>();
  decoder->padding = wanted(json, "pad_token", decoder->padding);
  decoder->delimiter = wanted(json, "word_delimiter_token", decoder->delimiter);
  decoder->cleanup = json.boolean_or("cleanup", true);
  return decoder;
}

}  // namespace alambic
