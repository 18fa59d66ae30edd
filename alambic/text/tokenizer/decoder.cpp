#include "alambic/text/tokenizer/decoder.h"

#include "alambic/base/json_view.h"
#include "alambic/base/names.h"
#include "alambic/base/utf8.h"
#include "alambic/text/tokenizer/byte_level.h"
#include "alambic/text/tokenizer/metaspace.h"
#include "alambic/text/tokenizer/pattern.h"
#include "alambic/text/tokenizer/vocabulary.h"
#include "alambic/text/tokenizer/word_decoders.h"

namespace alambic {
namespace {

using Tokens = std::vector<std::string>;

// The bytes of a token, or the token itself when some character stands for no byte.
void append_bytes(std::string& bytes, std::string_view token) {
  const size_t start = bytes.size();
  for (size_t i = 0; i < token.size();) {
    const int byte = character_to_byte(next_code_point(token, i));
    if (byte < 0) {
      bytes.resize(start);
      bytes += token;
      return;
    }
    bytes += static_cast<char>(byte);
  }
}

struct ByteLevelDecoder : TokenDecoder {
  Tokens decode(Tokens tokens) const override {
    std::string bytes;
    for (const std::string& token : tokens) append_bytes(bytes, token);
    return {replace_invalid_utf8(bytes)};
  }
  std::optional<std::string> bytes(const std::string& token) const override {
    std::string bytes;
    append_bytes(bytes, token);
    return bytes;
  }
};

struct ByteFallbackDecoder : TokenDecoder {
  Tokens decode(Tokens tokens) const override {
    Tokens out;
    std::string bytes;
    for (std::string& token : tokens) {
      if (const int byte = fallback_byte(token); byte >= 0) {
        bytes += static_cast<char>(byte);
        continue;
      }
      flush(bytes, out);
      out.push_back(std::move(token));
    }
    flush(bytes, out);
    return out;
  }
  std::optional<std::string> bytes(const std::string& token) const override {
    const int byte = fallback_byte(token);
    return byte >= 0 ? std::string(1, static_cast<char>(byte)) : token;
  }

  // A run of bytes that is not UTF-8 becomes one U+FFFD per byte, as in tokenizers.
  static void flush(std::string& bytes, Tokens& out) {
    if (bytes.empty()) return;
    if (is_valid_utf8(bytes)) {
      out.push_back(bytes);
    } else {
      for (size_t i = 0; i < bytes.size(); ++i) out.emplace_back("\xEF\xBF\xBD");
    }
    bytes.clear();
  }
};

struct ReplaceDecoder : TokenDecoder {
  ReplaceDecoder(Pattern pattern, std::string content)
      : pattern(std::move(pattern)), content(std::move(content)) {}
  Pattern pattern;
  std::string content;
  Tokens decode(Tokens tokens) const override {
    for (std::string& token : tokens) token = pattern.replace_all(token, content);
    return tokens;
  }
  std::optional<std::string> bytes(const std::string& token) const override {
    return pattern.replace_all(token, content);
  }
};

struct FuseDecoder : TokenDecoder {
  Tokens decode(Tokens tokens) const override { return {join(tokens, "")}; }
  std::optional<std::string> bytes(const std::string& token) const override { return token; }
};

// Up to `start` leading and `stop` trailing copies of one character, from every token.
struct StripDecoder : TokenDecoder {
  std::string content;
  int64_t start = 0;
  int64_t stop = 0;
  Tokens decode(Tokens tokens) const override {
    for (std::string& token : tokens) {
      std::string_view rest = token;
      for (int64_t i = 0; i < start && rest.starts_with(content); ++i) {
        rest.remove_prefix(content.size());
      }
      for (int64_t i = 0; i < stop && rest.ends_with(content); ++i) {
        rest.remove_suffix(content.size());
      }
      token = std::string(rest);
    }
    return tokens;
  }
  std::optional<std::string> bytes(const std::string& token) const override {
    return decode({token}).front();
  }
};

struct MetaspaceDecoder : TokenDecoder {
  explicit MetaspaceDecoder(const JsonView& json)
      : options(read_metaspace(json)), marks(options.replacement) {}
  Metaspace options;
  Pattern marks;
  Tokens decode(Tokens tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      const bool drop = i == 0 && options.prepend != Metaspace::Prepend::never;
      tokens[i] = marks.replace_all(tokens[i], drop ? "" : " ");
    }
    return tokens;
  }
  std::optional<std::string> bytes(const std::string& token) const override {
    return marks.replace_all(token, " ");
  }
};

struct SequenceDecoder : TokenDecoder {
  std::vector<std::unique_ptr<TokenDecoder>> steps;
  Tokens decode(Tokens tokens) const override {
    for (const auto& step : steps) tokens = step->decode(std::move(tokens));
    return tokens;
  }
  std::optional<std::string> bytes(const std::string& token) const override {
    std::optional<std::string> bytes = token;
    bool whole = false;  // further steps see the text as one
    for (const auto& step : steps) {
      if (!bytes || !is_valid_utf8(*bytes)) break;  // a byte of a character is no text any more
      whole |= dynamic_cast<const FuseDecoder*>(step.get()) != nullptr;
      const bool strips = dynamic_cast<const StripDecoder*>(step.get()) != nullptr;
      if (!(whole && strips)) bytes = step->bytes(*bytes);
    }
    return bytes;
  }
};

std::unique_ptr<TokenDecoder> read_strip(const JsonView& json) {
  auto strip = std::make_unique<StripDecoder>();
  strip->content = json.at("content").string();
  if (strip->content.empty()) throw json.at("content").wrong("expected a character");
  strip->start = json.at("start").integer(0, 1 << 20);
  strip->stop = json.at("stop").integer(0, 1 << 20);
  return strip;
}

}  // namespace

std::unique_ptr<TokenDecoder> read_decoder(const JsonView& json) {
  const JsonView type = json.at("type");
  const std::string_view name = type.string();
  if (name == "Sequence") {
    auto sequence = std::make_unique<SequenceDecoder>();
    for (const JsonView& step : json.at("decoders").items()) {
      sequence->steps.push_back(read_decoder(step));
    }
    return sequence;
  }
  if (name == "ByteLevel") return std::make_unique<ByteLevelDecoder>();
  if (name == "ByteFallback") return std::make_unique<ByteFallbackDecoder>();
  if (name == "Replace") {
    return std::make_unique<ReplaceDecoder>(Pattern::read(json.at("pattern")),
                                            std::string(json.at("content").string()));
  }
  if (name == "Fuse") return std::make_unique<FuseDecoder>();
  if (name == "Strip") return read_strip(json);
  if (name == "WordPiece") return read_word_piece_decoder(json);
  if (name == "BPEDecoder") return read_bpe_decoder(json);
  if (name == "CTC") return read_ctc_decoder(json);
  if (name == "Metaspace") return std::make_unique<MetaspaceDecoder>(json);
  throw type.unknown({"Sequence", "ByteLevel", "ByteFallback", "Replace", "Fuse", "Strip",
                      "Metaspace", "WordPiece", "BPEDecoder", "CTC"});
}

}  // namespace alambic
