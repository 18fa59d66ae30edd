#include "alambic/text/normalizer.h"

#include <utf8proc.h>

#include <cstdlib>

#include "alambic/text/json_view.h"
#include "alambic/text/pattern.h"
#include "alambic/text/utf8.h"

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
  std::string normalize(std::string text) const override {
    utf8proc_uint8_t* mapped = nullptr;
    const utf8proc_ssize_t length =
        utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                     static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                     static_cast<utf8proc_option_t>(options | UTF8PROC_STABLE));
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
    if (length < 0) throw input_error("cannot normalize the text: {}", utf8proc_errmsg(length));
    return {reinterpret_cast<const char*>(mapped), static_cast<size_t>(length)};
  }
};

struct Lowercase : Normalizer {
  std::string normalize(std::string text) const override {
    std::string lower;
    for (size_t i = 0; i < text.size();) {
      const char32_t c = next_code_point(text, i);
      if (c == 0x130) {
        lower += "i\xCC\x87";  // the one character whose small form is two
      } else {
        append_utf8(lower, static_cast<char32_t>(utf8proc_tolower(static_cast<int32_t>(c))));
      }
    }
    return lower;
  }
};

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
  if (name == "Lowercase") return std::make_unique<Lowercase>();
  if (name == "Strip") {
    auto strip = std::make_unique<StripNormalizer>();
    strip->left = json.boolean_or("strip_left", true);
    strip->right = json.boolean_or("strip_right", true);
    return strip;
  }
  throw type.unknown(
      {"Sequence", "Prepend", "Replace", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip"});
}

}  // namespace alambic
