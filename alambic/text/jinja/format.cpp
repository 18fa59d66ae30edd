#include "alambic/text/jinja/format.h"

#include <algorithm>
#include <charconv>

#include "alambic/base/utf8.h"
#include "alambic/text/jinja/attributes.h"
#include "alambic/text/jinja/long_whole.h"
#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/unicode.h"
#include "alambic/text/jinja/whole.h"

namespace alambic::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int64_t read_number(std::string_view text, size_t& at) {
  int64_t number = 0;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    number = std::min<int64_t>(number * 10 + (text[at] - '0'), int64_t{1} << 40);
  }
  return number;
}

// The whole of `digits`, which picks an argument or an item.
int64_t read_index(std::string_view digits) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc()) throw value_error("Too many decimal digits in format string");
  return number;
}

bool is_align(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

FormatSpec read_spec(std::string_view text) {
  FormatSpec spec;
  size_t at = 0;
  const size_t first = text.empty() ? 0 : utf8_length(static_cast<unsigned char>(text[0]));
  if (first < text.size() && is_align(text[first])) {
    spec.fill = std::string(text.substr(0, first));
    spec.align = text[first];
    at = first + 1;
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = text[at++];
  }
  const auto sees = [&](char c) { return at < text.size() && text[at] == c; };
  if (sees('+') || sees('-') || sees(' ')) spec.sign = text[at++];
  if (sees('#')) spec.alternate = ++at > 0;
  if (sees('0')) {
    if (spec.align == 0) spec.align = '=';
    if (spec.fill == " ") spec.fill = "0";
    ++at;
  }
  spec.width = read_number(text, at);
  if (sees(',') || sees('_')) spec.grouping = text[at++];
  if (sees('.')) {
    if (++at == text.size() || !is_digit(text[at])) {
      throw value_error("Format specifier missing precision");
    }
    spec.precision = read_number(text, at);
  }
  if (at < text.size()) spec.type = text[at++];
  if (at < text.size()) throw value_error("Invalid format specifier '{}'", text);
  return spec;
}

std::string format_text(Budget& budget, std::string text, const FormatSpec& spec) {
  if (spec.type != 0 && spec.type != 's') {
    throw value_error("Unknown format code '{}' for object of type 'str'", spec.type);
  }
  if (spec.align == '=' && spec.fill != "0") {
    throw value_error("'=' alignment not allowed in string format specifier");
  }
  if (spec.precision >= 0) text.resize(byte_offset(text, spec.precision));
  return pad(budget, std::move(text), spec,
             spec.align == 0 || spec.align == '=' ? '<' : spec.align);
}

// One text.format(): its fields, numbered ones or the next.
class BraceFormatter {
 public:
  BraceFormatter(Interpreter& interpreter, const Arguments& arguments)
      : interpreter_(interpreter), arguments_(arguments) {}

  std::string format(std::string_view text, int depth = 0) {
    if (depth > 2) throw value_error("Max string recursion exceeded");
    std::string out;
    for (size_t i = 0; i < text.size();) {
      const char c = text[i];
      if ((c == '{' || c == '}') && i + 1 < text.size() && text[i + 1] == c) {
        out += c;
        i += 2;
      } else if (c == '}') {
        throw value_error("Single '}}' encountered in format string");
      } else if (c == '{') {
        const size_t end = closing(text, i);
        out += field(text.substr(i + 1, end - i - 1), depth);
        i = end + 1;
      } else {
        const size_t end = std::min(text.find_first_of("{}", i), text.size());
        out += text.substr(i, end - i);
        i = end;
      }
      interpreter_.budget.check_single(static_cast<int64_t>(out.size()));
    }
    return out;
  }

 private:
  static size_t closing(std::string_view text, size_t open) {
    int level = 0;
    for (size_t i = open; i < text.size(); ++i) {
      if (text[i] == '{') ++level;
      if (text[i] == '}' && --level == 0) return i;
    }
    throw value_error("Single '{{' encountered in format string");
  }

  std::string field(std::string_view text, int depth) {
    const size_t colon = std::min(text.find(':'), text.size());
    std::string_view name = text.substr(0, colon);
    char conversion = 0;
    if (const size_t mark = name.find('!'); mark != name.npos) {
      if (mark + 2 != name.size()) throw value_error("expected ':' after conversion specifier");
      conversion = name[mark + 1];
      name = name.substr(0, mark);
    }
    Value value = find(name);
    if (conversion == 'r' || conversion == 'a') value = Value(repr(interpreter_, value));
    if (conversion == 's') value = Value(to_text(interpreter_, value));
    const std::string spec = format(colon < text.size() ? text.substr(colon + 1) : "", depth + 1);
    return format_value(interpreter_, value, spec);
  }

  Value first(std::string_view name) {
    size_t index = 0;
    if (name.empty()) {
      if (used_numbers_)
        throw value_error(
            "cannot switch from manual field specification to "
            "automatic field numbering");
      used_next_ = true;
      index = next_++;
    } else if (std::ranges::all_of(name, is_digit)) {
      if (used_next_)
        throw value_error(
            "cannot switch from automatic field numbering to manual "
            "field specification");
      used_numbers_ = true;
      index = static_cast<size_t>(read_index(name));
    } else {
      for (const auto& [key, value] : arguments_.named) {
        if (key == name) return value;
      }
      throw Failure("KeyError", repr_of_text(name));
    }
    if (index >= arguments_.positional.size()) {
      throw Failure("IndexError", "tuple index out of range");
    }
    return arguments_.positional[index];
  }

  Value find(std::string_view name) {
    size_t at = std::min(name.find_first_of(".["), name.size());
    Value value = first(name.substr(0, at));
    while (at < name.size()) {
      interpreter_.budget.spend(1);
      if (name[at] == '.') {
        const size_t end = std::min(name.find_first_of(".[", at + 1), name.size());
        value = get_attribute(interpreter_, value, std::string(name.substr(at + 1, end - at - 1)));
        at = end;
        continue;
      }
      const size_t end = name.find(']', at);
      if (name[at] != '[' || end == name.npos) throw value_error("Missing ']' in format string");
      const std::string_view key = name.substr(at + 1, end - at - 1);
      const bool number = !key.empty() && std::ranges::all_of(key, is_digit);
      value = get_item(interpreter_, value, number ? Value(read_index(key)) : Value(key));
      at = end + 1;
    }
    return value;
  }

  Interpreter& interpreter_;
  const Arguments& arguments_;
  size_t next_ = 0;
  bool used_next_ = false;
  bool used_numbers_ = false;
};

}  // namespace

std::string format_value(Interpreter& interpreter, const Value& value, std::string_view spec_text) {
  if (spec_text.empty()) return to_text(interpreter, value);
  if (value.is_string()) {
    return format_text(interpreter.budget, *value.string(), read_spec(spec_text));
  }
  if (value.as<LongWhole>() != nullptr) throw too_long_number();
  if (!value.is_number()) {
    throw type_error("unsupported format string passed to {}.__format__", type_name(value));
  }
  const FormatSpec spec = read_spec(spec_text);
  if (value.is_whole() && spec.type == 'c') {
    return pad(interpreter.budget, character_of(value.whole()), spec,
               spec.align == 0 ? '<' : spec.align);
  }
  const std::string_view known = value.is_float() ? "eEfFgGn%" : "eEfFgGn%bdoxX";
  if (spec.type != 0 && known.find(spec.type) == known.npos) {
    throw value_error("Unknown format code '{}' for object of type '{}'", spec.type,
                      type_name(value));
  }
  return format_number(interpreter.budget, value, spec);
}

std::string format_braces(Interpreter& interpreter, std::string_view text,
                          const Arguments& arguments) {
  interpreter.budget.spend(static_cast<int64_t>(text.size() / 16));
  return BraceFormatter(interpreter, arguments).format(text);
}

}  // namespace alambic::jinja
