// Methods of str.
#include <algorithm>
#include <unordered_map>

#include "alambic/base/utf8.h"
#include "alambic/text/jinja/format.h"
#include "alambic/text/jinja/methods.h"
#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/sequence.h"
#include "alambic/text/jinja/split.h"
#include "alambic/text/jinja/unicode.h"

namespace alambic::jinja {
namespace {

using Text = const std::string&;

int64_t size_of(Text text) { return static_cast<int64_t>(text.size()); }

// A method without arguments that makes a text of a text.
template <std::string (*function)(std::string_view)>
Value mapped(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Bound none("method", arguments, {});
  interpreter.budget.text(size_of(*object.string()), true);
  return Value(function(*object.string()));
}

// A method that says whether all characters (at least one) are of a class.
template <bool (*is)(char32_t)>
Value all_are(Interpreter& interpreter, const Value& object, const Arguments&) {
  interpreter.budget.text(size_of(*object.string()), true);
  const std::u32string row = to_code_points(*object.string());
  return !row.empty() && std::ranges::all_of(row, is);
}

bool is_letter_or_number(char32_t c) { return is_letter(c) || is_numeric(c); }
bool is_word_character(char32_t c) { return is_word(c); }

Value is_ascii(Interpreter& interpreter, const Value& object, const Arguments&) {
  interpreter.budget.text(size_of(*object.string()));
  return std::ranges::all_of(*object.string(), [](char c) { return (c & 0x80) == 0; });
}
Value is_printable_text(Interpreter& interpreter, const Value& object, const Arguments& none) {
  return object.string()->empty() ? Value(true) : all_are<is_printable>(interpreter, object, none);
}
Value is_identifier(Interpreter& interpreter, const Value& object, const Arguments& none) {
  const Text text = *object.string();
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  return all_are<is_word_character>(interpreter, object, none);
}

// Whether cased characters exist and none of them is of the other case.
template <bool (*wrong)(char32_t)>
Value has_case(Interpreter& interpreter, const Value& object, const Arguments&) {
  interpreter.budget.text(size_of(*object.string()), true);
  const std::u32string row = to_code_points(*object.string());
  return std::ranges::any_of(row, is_cased) && std::ranges::none_of(row, wrong);
}

Value is_title(Interpreter& interpreter, const Value& object, const Arguments&) {
  interpreter.budget.text(size_of(*object.string()), true);
  bool inside = false;
  bool any = false;
  for (const char32_t c : to_code_points(*object.string())) {
    if (is_upper_character(c) ? inside : is_lower_character(c) && !inside) return false;
    inside = is_cased(c);
    any = any || inside;
  }
  return any;
}

template <bool left, bool right>
Value stripped(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Bound bound("strip", arguments, {"chars"});
  interpreter.budget.text(size_of(*object.string()));
  if (bound.get(0).is_none()) return Value(strip(*object.string(), nullptr, left, right));
  const std::string characters = bound.text(0);
  interpreter.budget.spend(size_of(*object.string()) / 256 * (size_of(characters) / 16 + 1));
  return Value(strip(*object.string(), &characters, left, right));
}

// The bytes that [start, end) given as for find and count stand for; nothing when it is empty and
// out of reach.
struct Part {
  size_t begin, end;
};
std::optional<Part> part_of(Text text, const Bound& bound, size_t start, size_t end) {
  const int64_t size = character_count(text);
  const auto place = [&](int64_t i) { return i < 0 ? std::max<int64_t>(i + size, 0) : i; };
  const int64_t from = place(bound.whole(start, 0));
  const int64_t to = std::min(place(bound.whole(end, size)), size);
  if (from > to) return std::nullopt;
  return Part{byte_offset(text, from), byte_offset(text, to)};
}

template <bool at_end>
Value begins_or_ends(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Text text = *object.string();
  const char* name = at_end ? "endswith" : "startswith";
  const Bound bound(name, arguments, {"prefix", "start", "end"}, 1);
  Values wanted = {bound.get(0)};
  if (wanted[0].list() != nullptr && wanted[0].list()->is_tuple()) {
    wanted = items_of(interpreter.budget, wanted[0]);
  }
  interpreter.budget.spend(size_of(text) / 64);
  const auto part = part_of(text, bound, 1, 2);
  const std::string_view view =
      part ? std::string_view(text).substr(part->begin, part->end - part->begin) : "";
  for (const Value& one : wanted) {
    if (const auto* missing = one.as<Undefined>()) {
      throw type_error("{} first arg must be str or a tuple of str, not Undefined ({})", name,
                       missing->message);
    }
    if (!one.is_string()) {
      throw type_error("{} first arg must be str or a tuple of str, not {}", name, type_name(one));
    }
    if (part && (at_end ? view.ends_with(*one.string()) : view.starts_with(*one.string()))) {
      return true;
    }
  }
  return false;
}

std::optional<int64_t> position(Interpreter& interpreter, Text text, const Arguments& arguments,
                                bool from_right) {
  const Bound bound("find", arguments, {"sub", "start", "end"}, 1);
  const std::string wanted = bound.text(0);
  interpreter.budget.spend(size_of(text) / 32);
  const auto part = part_of(text, bound, 1, 2);
  if (!part) return std::nullopt;
  const auto view = std::string_view(text).substr(part->begin, part->end - part->begin);
  const size_t at = from_right ? view.rfind(wanted) : view.find(wanted);
  if (at == view.npos) return std::nullopt;
  return character_count(std::string_view(text).substr(0, part->begin + at));
}

template <bool from_right, bool must>
Value find(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const auto found = position(interpreter, *object.string(), arguments, from_right);
  if (must && !found) throw value_error("substring not found");
  return found.value_or(-1);
}

Value count(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Text text = *object.string();
  const Bound bound("count", arguments, {"sub", "start", "end"}, 1);
  const std::string wanted = bound.text(0);
  interpreter.budget.spend(size_of(text) / 32);
  const auto part = part_of(text, bound, 1, 2);
  if (!part) return int64_t{0};
  const auto view = std::string_view(text).substr(part->begin, part->end - part->begin);
  if (wanted.empty()) return character_count(view) + 1;
  int64_t times = 0;
  for (size_t at = view.find(wanted); at != view.npos; at = view.find(wanted, at + wanted.size())) {
    ++times;
  }
  return times;
}

Value replace(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"}, 2);
  return Value(replace_text(interpreter.budget, *object.string(), bound.text(0), bound.text(1),
                            bound.whole(2, -1)));
}

Value join(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Bound bound("join", arguments, {"iterable"}, 1);
  std::string text;
  int64_t i = 0;
  for (const Value& item : items_of(interpreter.budget, bound.get(0))) {
    if (!item.is_string()) {
      throw type_error("sequence item {}: expected str instance, {} found", i, type_name(item));
    }
    text += (i++ == 0 ? "" : *object.string()) + *item.string();
    interpreter.budget.check_single(size_of(text));
  }
  interpreter.budget.text(size_of(text));
  return Value(std::move(text));
}

Value format(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  return Value(format_braces(interpreter, *object.string(), arguments));
}

Value format_map(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Bound bound("format_map", arguments, {"mapping"}, 1);
  const Value mapping = bound.get(0);
  if (mapping.dict() == nullptr) throw type_error("format_map() argument must be a dict");
  Arguments fields;
  for (const auto& [key, value] : mapping.dict()->entries()) {
    if (key.is_string()) fields.named.emplace_back(*key.string(), value);
  }
  return Value(format_braces(interpreter, *object.string(), fields));
}

template <char align>
Value justified(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Bound bound("just", arguments, {"width", "fillchar"}, 1);
  FormatSpec spec;
  spec.width = bound.whole(0);
  spec.fill = bound.text(1, " ");
  if (character_count(spec.fill) != 1) {
    throw type_error("The fill character must be exactly one character long");
  }
  if (align != '^') return Value(pad(interpreter.budget, *object.string(), spec, align));
  return Value(center_text(interpreter.budget, *object.string(), spec.width, spec.fill));
}

Value zero_filled(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Bound bound("zfill", arguments, {"width"}, 1);
  const Text text = *object.string();
  const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  FormatSpec spec;
  spec.fill = "0";
  spec.width = std::max<int64_t>(bound.whole(0), 0) - (sign ? 1 : 0);
  return Value(text.substr(0, sign ? 1 : 0) +
               pad(interpreter.budget, text.substr(sign ? 1 : 0), spec, '>'));
}

Value without_prefix(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const std::string prefix = Bound("removeprefix", arguments, {"prefix"}, 1).text(0);
  const Text text = *object.string();
  interpreter.budget.text(size_of(text));
  return Value(text.starts_with(prefix) ? text.substr(prefix.size()) : text);
}

Value without_suffix(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const std::string suffix = Bound("removesuffix", arguments, {"suffix"}, 1).text(0);
  const Text text = *object.string();
  interpreter.budget.text(size_of(text));
  return Value(text.ends_with(suffix) ? text.substr(0, text.size() - suffix.size()) : text);
}

Value expanded(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const int64_t tab = Bound("expandtabs", arguments, {"tabsize"}).whole(0, 8);
  std::string text;
  int64_t column = 0;
  for (const char c : *object.string()) {
    if (c != '\t') {
      text += c;
      if (c == '\n' || c == '\r') column = 0;
      if (c != '\n' && c != '\r' && (c & 0xC0) != 0x80) ++column;
      continue;
    }
    const int64_t blanks = tab <= 0 ? 0 : tab - column % tab;
    interpreter.budget.text(blanks);
    text.append(static_cast<size_t>(blanks), ' ');
    column += blanks;
    interpreter.budget.check_single(size_of(text));
  }
  return Value(std::move(text));
}

}  // namespace

Method find_string_method(const std::string& name) {
  static const std::unordered_map<std::string_view, Method> methods = {
      {"capitalize", mapped<capitalize>},
      {"casefold", mapped<case_fold>},
      {"lower", mapped<lower>},
      {"swapcase", mapped<swap_case>},
      {"title", mapped<title>},
      {"upper", mapped<upper>},
      {"strip", stripped<true, true>},
      {"lstrip", stripped<true, false>},
      {"rstrip", stripped<false, true>},
      {"startswith", begins_or_ends<false>},
      {"endswith", begins_or_ends<true>},
      {"find", find<false, false>},
      {"index", find<false, true>},
      {"rfind", find<true, false>},
      {"rindex", find<true, true>},
      {"count", count},
      {"replace", replace},
      {"join", join},
      {"format", format},
      {"format_map", format_map},
      {"center", justified<'^'>},
      {"ljust", justified<'<'>},
      {"rjust", justified<'>'>},
      {"zfill", zero_filled},
      {"removeprefix", without_prefix},
      {"removesuffix", without_suffix},
      {"expandtabs", expanded},
      {"isalpha", all_are<is_letter>},
      {"isdigit", all_are<is_decimal>},
      {"isdecimal", all_are<is_decimal>},
      {"isnumeric", all_are<is_numeric>},
      {"isalnum", all_are<is_letter_or_number>},
      {"isspace", all_are<is_space_character>},
      {"isascii", is_ascii},
      {"isprintable", is_printable_text},
      {"isidentifier", is_identifier},
      {"islower", has_case<is_upper_character>},
      {"isupper", has_case<is_lower_character>},
      {"istitle", is_title},
      {"split", split<false>},
      {"rsplit", split<true>},
      {"splitlines", split_lines},
      {"partition", partition<false>},
      {"rpartition", partition<true>},
  };
  const auto found = methods.find(name);
  return found == methods.end() ? nullptr : found->second;
}

}  // namespace alambic::jinja
