#include "alambic/text/tokenizer/normalizer.h"

#include <utf8proc.h>

#include "alambic/base/base64.h"
#include "alambic/base/json_view.h"
#include "alambic/base/utf8.h"
#include "alambic/text/tokenizer/bert_text.h"
#include "alambic/text/tokenizer/byte_level.h"
#include "alambic/text/tokenizer/charsmap.h"
#include "alambic/text/tokenizer/pattern.h"
#include "alambic/text/tokenizer/unicode_form.h"

namespace alambic {
namespace {

struct SequenceNormalizer : Normalizer {
  std::vector<std::unique_ptr<Normalizer>> steps;
  std::string normalize(std::string text) const override {
    for (const auto& step : steps) text = step->normalize(std::move(text));
    return text;
  }
};

struct PrependNormalizer : Normalizer {
  std::string prefix;
  std::string normalize(std::string text) const override {
    return text.empty() ? text : prefix + text;
  }
};

struct ReplaceNormalizer : Normalizer {
  ReplaceNormalizer(Pattern pattern, std::string content)
      : pattern(std::move(pattern)), content(std::move(content)) {}
  Pattern pattern;
  std::string content;
  std::string normalize(std::string text) const override {
    return pattern.replace_all(text, content);
  }
};

// NFC, NFD, NFKC, NFKD.
struct UnicodeForm : Normalizer {
  explicit UnicodeForm(int options) : options(options) {}
  int options;
  std::string normalize(std::string text) const override { return unicode_form(text, options); }
};

// A function without options.
struct Mapping : Normalizer {
  using Function = std::string (*)(std::string_view);
  explicit Mapping(Function map) : map(map) {}
  Function map;
  std::string normalize(std::string text) const override { return map(text); }
};

struct BertNormalizer : Normalizer {
  BertOptions options;
  std::string normalize(std::string text) const override {
    return bert_normalize(std::move(text), options);
  }
};

struct PrecompiledNormalizer : Normalizer {
  explicit PrecompiledNormalizer(Charsmap rules) : rules(std::move(rules)) {}
  Charsmap rules;
  std::string normalize(std::string text) const override { return rules.normalize(text); }
};

std::string bytes_to_characters(std::string_view text) {
  std::string out;
  for (const char c : text) out += byte_to_character(static_cast<unsigned char>(c));
  return out;
}

struct StripNormalizer : Normalizer {
  bool left = true;
  bool right = true;
  std::string normalize(std::string text) const override {
    size_t begin = text.size(), end = 0;
    for (size_t i = 0; i < text.size();) {
      const size_t start = i;
      if (is_space(next_code_point(text, i))) continue;
      begin = std::min(begin, start);
      end = i;
    }
    if (begin > end) return left || right ? "" : text;
    if (!left) begin = 0;
    if (!right) end = text.size();
    return text.substr(begin, end - begin);
  }
};

std::unique_ptr<Normalizer> read_bert(const JsonView& json) {
  auto bert = std::make_unique<BertNormalizer>();
  bert->options = read_bert_options(json);
  return bert;
}

std::unique_ptr<Normalizer> read_precompiled(const JsonView& json) {
  const auto rules = json.find("precompiled_charsmap");
  if (!rules) return std::make_unique<PrecompiledNormalizer>(Charsmap(""));
  try {
    return std::make_unique<PrecompiledNormalizer>(Charsmap(decode_base64(rules->string())));
  } catch (const Error& error) {
    throw rules->wrong(error.what());
  }
}

}  // namespace

std::unique_ptr<Normalizer> read_normalizer(const JsonView& json) {
  const JsonView type = json.at("type");
  const std::string_view name = type.string();
  if (name == "Sequence") {
    auto sequence = std::make_unique<SequenceNormalizer>();
    for (const JsonView& step : json.at("normalizers").items()) {
      sequence->steps.push_back(read_normalizer(step));
    }
    return sequence;
  }
  if (name == "Prepend") {
    auto prepend = std::make_unique<PrependNormalizer>();
    prepend->prefix = json.at("prepend").string();
    return prepend;
  }
  if (name == "Replace") {
    return std::make_unique<ReplaceNormalizer>(Pattern::read(json.at("pattern")),
                                               std::string(json.at("content").string()));
  }
  if (name == "NFC") return std::make_unique<UnicodeForm>(UTF8PROC_COMPOSE);
  if (name == "NFD") return std::make_unique<UnicodeForm>(UTF8PROC_DECOMPOSE);
  if (name == "NFKC") return std::make_unique<UnicodeForm>(UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
  if (name == "NFKD") return std::make_unique<UnicodeForm>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
  if (name == "Lowercase") return std::make_unique<Mapping>(lowercase);
  if (name == "StripAccents") return std::make_unique<Mapping>(strip_accents);
  if (name == "Nmt") return std::make_unique<Mapping>(nmt_normalize);
  if (name == "ByteLevel") return std::make_unique<Mapping>(bytes_to_characters);
  if (name == "BertNormalizer") return read_bert(json);
  if (name == "Precompiled") return read_precompiled(json);
  if (name == "Strip") {
    auto strip = std::make_unique<StripNormalizer>();
    strip->left = json.boolean_or("strip_left", true);
    strip->right = json.boolean_or("strip_right", true);
    return strip;
  }
  throw type.unknown({"Sequence", "Prepend", "Replace", "NFC", "NFD", "NFKC", "NFKD", "Lowercase",
                      "Strip", "StripAccents", "Nmt", "ByteLevel", "BertNormalizer",
                      "Precompiled"});
}

}  // namespace alambic
