#include "alambic/text/jinja/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "alambic/base/utf8.h"

namespace alambic::jinja {
namespace {

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

// Characters whose upper or title case is several characters.
struct SpecialCase {
  char32_t character;
  std::u32string_view upper, title;
};

constexpr SpecialCase special_cases[] = {
#define UPPER(character, upper, title) {character, upper, title},
#include "alambic/text/jinja/special_case.def"
#undef UPPER
};

const SpecialCase* special_case(char32_t c) {
  const auto* found = std::ranges::lower_bound(special_cases, c, {}, &SpecialCase::character);
  return found != std::end(special_cases) && found->character == c ? found : nullptr;
}

void append_upper(std::u32string& out, char32_t c) {
  if (const SpecialCase* special = special_case(c)) {
    out += special->upper;
  } else {
    out += static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c)));
  }
}

void append_title(std::u32string& out, char32_t c) {
  if (const SpecialCase* special = special_case(c)) {
    out += special->title;
  } else {
    out += static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c)));
  }
}

bool is_case_ignorable(char32_t c) {
  const auto kind = category(c);
  return kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_ME ||
         kind == UTF8PROC_CATEGORY_CF || kind == UTF8PROC_CATEGORY_LM ||
         kind == UTF8PROC_CATEGORY_SK || c == '\'' || c == '.' || c == ':' || c == 0xB7 ||
         c == 0x2019;
}

// A sigma that ends a word has a small letter of its own.
bool is_final_sigma(std::u32string_view text, size_t at) {
  size_t before = at;
  while (before > 0 && is_case_ignorable(text[before - 1])) --before;
  if (before == 0 || !is_cased(text[before - 1])) return false;
  size_t after = at + 1;
  while (after < text.size() && is_case_ignorable(text[after])) ++after;
  return after == text.size() || !is_cased(text[after]);
}

void append_lower(std::u32string& out, std::u32string_view text, size_t at) {
  const char32_t c = text[at];
  if (c == 0x130) {
    out += U"i\u0307";
  } else if (c == 0x3A3) {
    out += is_final_sigma(text, at) ? U'\u03C2' : U'\u03C3';
  } else {
    out += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
  }
}

}  // namespace

std::u32string to_code_points(std::string_view text) {
  std::u32string row;
  for (size_t i = 0; i < text.size();) row += next_code_point(text, i);
  return row;
}

std::string to_utf8(std::u32string_view code_points) {
  std::string text;
  for (const char32_t c : code_points) append_utf8(text, c);
  return text;
}

int64_t character_count(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; });
}

size_t byte_offset(std::string_view text, int64_t i) {
  size_t at = 0;
  for (; i > 0 && at < text.size(); --i) at += utf8_length(static_cast<unsigned char>(text[at]));
  return std::min(at, text.size());
}

std::string character_at(std::string_view text, int64_t i) {
  const size_t at = byte_offset(text, i);
  return std::string(text.substr(at, utf8_length(static_cast<unsigned char>(text[at]))));
}

bool is_space_character(char32_t c) { return is_space(c) || (c >= 0x1C && c <= 0x1F); }

bool is_printable(char32_t c) {
  const auto kind = category(c);
  return c == ' ' || (kind < UTF8PROC_CATEGORY_ZS && kind != UTF8PROC_CATEGORY_CN);
}

bool is_letter(char32_t c) {
  const auto kind = category(c);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

bool is_decimal(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }

bool is_upper_character(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LU || (c >= 0x2160 && c <= 0x216F) ||
         (c >= 0x24B6 && c <= 0x24CF);
}

bool is_lower_character(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LL || c == 0xAA || c == 0xBA ||
         (c >= 0x2170 && c <= 0x217F) || (c >= 0x24D0 && c <= 0x24E9) || (c >= 0x2B0 && c <= 0x2B8);
}

bool is_cased(char32_t c) {
  return is_upper_character(c) || is_lower_character(c) || category(c) == UTF8PROC_CATEGORY_LT;
}

std::string upper(std::string_view text) {
  std::u32string out;
  for (const char32_t c : to_code_points(text)) append_upper(out, c);
  return to_utf8(out);
}

std::string lower(std::string_view text) {
  const std::u32string row = to_code_points(text);
  std::u32string out;
  for (size_t i = 0; i < row.size(); ++i) append_lower(out, row, i);
  return to_utf8(out);
}

std::string title(std::string_view text) {
  const std::u32string row = to_code_points(text);
  std::u32string out;
  bool inside = false;
  for (size_t i = 0; i < row.size(); ++i) {
    inside ? append_lower(out, row, i) : append_title(out, row[i]);
    inside = is_cased(row[i]);
  }
  return to_utf8(out);
}

std::string capitalize(std::string_view text) {
  const std::u32string row = to_code_points(text);
  std::u32string out;
  for (size_t i = 0; i < row.size(); ++i) {
    i == 0 ? append_title(out, row[i]) : append_lower(out, row, i);
  }
  return to_utf8(out);
}

std::string swap_case(std::string_view text) {
  const std::u32string row = to_code_points(text);
  std::u32string out;
  for (size_t i = 0; i < row.size(); ++i) {
    if (is_upper_character(row[i])) {
      append_lower(out, row, i);
    } else if (is_lower_character(row[i])) {
      append_upper(out, row[i]);
    } else {
      out += row[i];
    }
  }
  return to_utf8(out);
}

std::string case_fold(std::string_view text) {
  utf8proc_uint8_t* folded = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &folded, UTF8PROC_CASEFOLD);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(folded, &std::free);
  return size < 0 ? std::string(text)
                  : std::string(reinterpret_cast<const char*>(folded), static_cast<size_t>(size));
}

std::string strip(std::string_view text, const std::string* characters, bool left, bool right) {
  const std::u32string set = characters == nullptr ? U"" : to_code_points(*characters);
  const auto drops = [&](char32_t c) {
    return characters == nullptr ? is_space_character(c) : set.find(c) != set.npos;
  };
  size_t begin = 0;
  while (left && begin < text.size()) {
    size_t next = begin;
    if (!drops(next_code_point(text, next))) break;
    begin = next;
  }
  size_t end = text.size();
  while (right && end > begin) {
    size_t last = end - 1;
    while (last > begin && (text[last] & 0xC0) == 0x80) --last;
    size_t next = last;
    if (!drops(next_code_point(text, next))) break;
    end = last;
  }
  return std::string(text.substr(begin, end - begin));
}

}  // namespace alambic::jinja
