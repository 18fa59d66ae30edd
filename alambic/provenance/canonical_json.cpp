#include "alambic/provenance/canonical_json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"
#include "alambic/base/utf8.h"

namespace alambic {
namespace {

using AnyJson = nlohmann::json;

constexpr uint64_t largest_exact = uint64_t{1} << 53;

// The first UTF-16 code unit of a character.
uint32_t first_unit(char32_t code_point) {
  return code_point < 0x10000 ? code_point : 0xD800 + ((code_point - 0x10000) >> 10);
}

bool comes_before(const std::string& a, const std::string& b) {
  size_t at_a = 0, at_b = 0;
  while (at_a < a.size() && at_b < b.size()) {
    const char32_t one = next_code_point(a, at_a), other = next_code_point(b, at_b);
    if (one == other) continue;
    const uint32_t unit = first_unit(one), other_unit = first_unit(other);
    return unit != other_unit ? unit < other_unit : one < other;
  }
  return at_a == a.size() && at_b < b.size();
}

// ECMAScript's Number::toString of a finite number that is not 0: the shortest digits that read
// back as the same number, with the point among them from 1e-6 to below 1e21.
std::string positive_text(double value) {
  std::array<char, 32> buffer;
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                     std::chars_format::scientific);
  const std::string text(buffer.data(), written.ptr);
  const size_t e = text.find('e');
  std::string digits = text.substr(0, 1) + (e > 2 ? text.substr(2, e - 2) : "");
  const int exponent = std::stoi(text.substr(e + 1));
  const int count = static_cast<int>(digits.size()), point = exponent + 1;
  if (count <= point && point <= 21) return digits + std::string(point - count, '0');
  if (0 < point && point <= 21) return digits.insert(point, ".");
  if (-6 < point && point <= 0) return "0." + std::string(-point, '0') + digits;
  if (count > 1) digits.insert(1, ".");
  return fmt::format("{}e{}{}", digits, exponent < 0 ? '-' : '+', std::abs(exponent));
}

std::string number_text(double value) {
  if (!std::isfinite(value)) throw input_error("JSON has no number {}", value);
  if (value == 0) return "0";
  return value < 0 ? "-" + positive_text(-value) : positive_text(value);
}

std::string integer_text(const AnyJson& value) {
  const bool negative =
      value.is_number_integer() && !value.is_number_unsigned() && value.get<int64_t>() < 0;
  const uint64_t size =
      negative ? 0 - static_cast<uint64_t>(value.get<int64_t>()) : value.get<uint64_t>();
  if (size > largest_exact) {
    throw input_error("{} is beyond 2^53: not every reader of JSON keeps it", value.dump());
  }
  return (negative ? "-" : "") + std::to_string(size);
}

void append_text(std::string& out, const std::string& text) {
  if (!is_valid_utf8(text)) throw input_error("'{}' is not UTF-8", printable(text));
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void append(std::string& out, const AnyJson& value);

void append_object(std::string& out, const AnyJson& object) {
  std::vector<std::string> names;
  for (auto entry = object.begin(); entry != object.end(); ++entry) {
    if (!is_valid_utf8(entry.key())) throw input_error("'{}' is not UTF-8", printable(entry.key()));
    names.push_back(entry.key());
  }
  std::ranges::sort(names, comes_before);
  out += '{';
  for (const std::string& name : names) {
    if (out.back() != '{') out += ',';
    append_text(out, name);
    out += ':';
    append(out, object.at(name));
  }
  out += '}';
}

void append(std::string& out, const AnyJson& value) {
  if (value.is_object()) {
    append_object(out, value);
  } else if (value.is_array()) {
    out += '[';
    for (const AnyJson& item : value) {
      if (out.back() != '[') out += ',';
      append(out, item);
    }
    out += ']';
  } else if (value.is_string()) {
    append_text(out, value.get_ref<const std::string&>());
  } else if (value.is_number_integer()) {
    out += integer_text(value);
  } else if (value.is_number()) {
    out += number_text(value.get<double>());
  } else {
    out += value.dump();
  }
}

}  // namespace

std::string canonical_json(const AnyJson& value) {
  std::string text;
  append(text, value);
  return text;
}

}  // namespace alambic
