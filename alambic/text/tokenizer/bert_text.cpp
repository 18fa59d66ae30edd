#include "alambic/text/tokenizer/bert_text.h"

#include <utf8proc.h>

#include "alambic/base/json_view.h"
#include "alambic/base/utf8.h"
#include "alambic/text/tokenizer/unicode_form.h"

namespace alambic {
namespace {

bool is_ideograph(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

bool is_control(char32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
      return true;
    default:
      return false;
  }
}

// Each character's text is what `append(out, character)` adds.
template <class Append>
std::string map_characters(std::string_view text, const Append& append) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) append(out, next_code_point(text, i));
  return out;
}

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

std::string clean(std::string_view text) {
  return map_characters(text, [](std::string& out, char32_t c) {
    if (c == 0 || c == 0xFFFD || is_control(c)) return;
    append_utf8(out, is_space(c) ? U' ' : c);
  });
}

std::string space_ideographs(std::string_view text) {
  return map_characters(text, [](std::string& out, char32_t c) {
    if (is_ideograph(c)) out += ' ';
    append_utf8(out, c);
    if (is_ideograph(c)) out += ' ';
  });
}

}  // namespace

BertOptions read_bert_options(const JsonView& json) {
  BertOptions options;
  options.clean_text = json.boolean_or("clean_text", true);
  options.handle_chinese_chars = json.boolean_or("handle_chinese_chars", true);
  options.lowercase = json.boolean_or("lowercase", true);
  options.strip_accents = json.boolean_or("strip_accents", options.lowercase);
  return options;
}

std::string bert_normalize(std::string text, const BertOptions& options) {
  if (options.clean_text) text = clean(text);
  if (options.handle_chinese_chars) text = space_ideographs(text);
  if (options.strip_accents) {
    text = map_characters(unicode_form(text, UTF8PROC_DECOMPOSE), [](std::string& out, char32_t c) {
      if (category(c) != UTF8PROC_CATEGORY_MN) append_utf8(out, c);
    });
  }
  return options.lowercase ? lowercase(text) : text;
}

std::string strip_accents(std::string_view text) {
  return map_characters(text, [](std::string& out, char32_t c) {
    const utf8proc_category_t kind = category(c);
    const bool mark = kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_MC ||
                      kind == UTF8PROC_CATEGORY_ME;
    if (!mark) append_utf8(out, c);
  });
}

std::string nmt_normalize(std::string_view text) {
  return map_characters(text, [](std::string& out, char32_t c) {
    if ((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F ||
        c == 0x9F) {
      return;
    }
    const bool space = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                       (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                       c == 0xFEFF || c == 0xFFFD;
    append_utf8(out, space ? U' ' : c);
  });
}

}  // namespace alambic
