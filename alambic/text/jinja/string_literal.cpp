#include "alambic/text/jinja/string_literal.h"

#include <algorithm>
#include <charconv>

#include "alambic/base/utf8.h"
#include "alambic/text/jinja/failure.h"

namespace alambic::jinja {
namespace {

// Reads `digits` hexadecimal digits behind "\x" and moves past them.
char32_t read_hexadecimal(std::string_view text, size_t& at, size_t digits) {
  uint32_t code = 0;
  const std::string_view part = text.substr(std::min(at, text.size()), digits);
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), code, 16);
  if (part.size() < digits || error != std::errc() || end != part.data() + part.size()) {
    throw Failure("TemplateSyntaxError", "truncated \\xXX, \\uXXXX or \\UXXXXXXXX escape");
  }
  if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
    throw Failure("TemplateSyntaxError", "illegal Unicode character");
  }
  at += digits;
  return code;
}

char32_t read_octal(std::string_view text, size_t& at) {
  char32_t code = 0;
  for (int i = 0; i < 3 && at < text.size() && text[at] >= '0' && text[at] <= '7'; ++i, ++at) {
    code = code * 8 + static_cast<char32_t>(text[at] - '0');
  }
  return code;
}

}  // namespace

std::string unify_newlines(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out += text[i];
    } else {
      out += '\n';
      if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
    }
  }
  return out;
}

std::string unescape(std::string_view literal) {
  constexpr std::string_view names = "\\'\"abfnrtv";
  constexpr std::string_view meanings = "\\'\"\a\b\f\n\r\t\v";
  std::string out;
  for (size_t i = 0; i < literal.size();) {
    if (literal[i] != '\\' || i + 1 == literal.size()) {
      out += literal[i++];
      continue;
    }
    const char c = literal[i + 1];
    i += 2;
    if (c == '\n') continue;
    if (names.find(c) != names.npos) {
      out += meanings[names.find(c)];
    } else if (c == 'x' || c == 'u' || c == 'U') {
      append_utf8(out, read_hexadecimal(literal, i, c == 'x' ? 2 : c == 'u' ? 4 : 8));
    } else if (c >= '0' && c <= '7') {
      append_utf8(out, read_octal(literal, --i));
    } else if (c == 'N') {
      throw Failure("TemplateSyntaxError", "\\N{…} names are not built");
    } else {
      out += '\\';
      out += c;
    }
  }
  return out;
}

}  // namespace alambic::jinja
