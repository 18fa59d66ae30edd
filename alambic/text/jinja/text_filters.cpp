// Filters that make texts.
#include <algorithm>

#include "alambic/base/utf8.h"
#include "alambic/text/jinja/filters.h"
#include "alambic/text/jinja/format.h"
#include "alambic/text/jinja/markup.h"
#include "alambic/text/jinja/methods.h"
#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/sequence.h"
#include "alambic/text/jinja/split.h"
#include "alambic/text/jinja/unicode.h"
#include "alambic/text/jinja/word_wrap.h"

namespace alambic::jinja {
namespace {

int64_t size_of(const std::string& text) { return static_cast<int64_t>(text.size()); }

// str(value), which costs as much as working on it.
std::string soft_text(Interpreter& interpreter, const Value& value) {
  std::string text = to_text(interpreter, value);
  interpreter.budget.text(size_of(text), true);
  return text;
}

template <std::string (*function)(std::string_view)>
Value mapped(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound none("filter", arguments, {});
  return text_like(value, function(soft_text(interpreter, value)));
}

// The same, where Jinja gives plain text even for Markup.
template <std::string (*function)(std::string_view)>
Value plain(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound none("filter", arguments, {});
  return Value(function(soft_text(interpreter, value)));
}

// Not str.title: a word begins behind a blank, a hyphen or an opening bracket.
std::string title_words(std::string_view text) {
  std::string out;
  std::string word;
  const auto flush = [&] {
    if (word.empty()) return;
    const std::string first = character_at(word, 0);
    out += upper(first) + lower(std::string_view(word).substr(first.size()));
    word.clear();
  };
  for (size_t i = 0; i < text.size();) {
    const size_t start = i;
    const char32_t c = next_code_point(text, i);
    const bool divides =
        is_space_character(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    if (divides) flush();
    (divides ? out : word) += text.substr(start, i - start);
  }
  flush();
  return out;
}

Value escape(Interpreter& interpreter, const Value& value, const Arguments&) {
  return escaped(interpreter, value);
}

Value force_escape(Interpreter& interpreter, const Value& value, const Arguments&) {
  return Value::markup(escape_html(soft_text(interpreter, value)));
}

Value mark_safe(Interpreter& interpreter, const Value& value, const Arguments&) {
  return Value::markup(to_text(interpreter, value));
}

Value center(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const int64_t width = Bound("center", arguments, {"width"}).whole(0, 80);
  return text_like(value,
                   center_text(interpreter.budget, soft_text(interpreter, value), width, " "));
}

Value format(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Value text = text_like(value, soft_text(interpreter, value));
  if (arguments.named.empty()) {
    return format_percent(interpreter, text, make_tuple(arguments.positional));
  }
  if (!arguments.positional.empty()) {
    throw Failure("FilterArgumentError",
                  "can't handle positional and keyword arguments at the same time");
  }
  Dict names;
  for (const auto& [name, item] : arguments.named) names.set(Value(name), item);
  return format_percent(interpreter, text, make_dict(std::move(names)));
}

Value indent(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound("indent", arguments, {"width", "first", "blank"});
  if (const auto* missing = value.as<Undefined>()) missing->fail();
  if (!value.is_string()) {
    throw type_error("unsupported operand type(s) for +=: '{}' and 'str'", type_name(value));
  }
  std::string step;
  if (bound.get(0).is_string()) {
    step = bound.text(0);
  } else {
    const int64_t width = std::max<int64_t>(bound.whole(0, 4), 0);
    interpreter.budget.text(width);
    step = std::string(static_cast<size_t>(width), ' ');
  }
  const bool blank = bound.flag(2, false);
  std::string out = bound.flag(1, false) ? step : "";
  bool is_first = true;
  for (const std::string& line : lines_of(interpreter.budget, *value.string() + "\n")) {
    if (!is_first) out += "\n" + (line.empty() && !blank ? "" : step);
    out += line;
    is_first = false;
    interpreter.budget.check_single(size_of(out));
  }
  interpreter.budget.text(size_of(out));
  return text_like(value, std::move(out));
}

Value replace(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"}, 2);
  return Value(replace_text(interpreter.budget, to_text(interpreter, value),
                            to_text(interpreter, bound.get(0)), to_text(interpreter, bound.get(1)),
                            bound.whole(2, -1)));
}

Value to_string(Interpreter& interpreter, const Value& value, const Arguments&) {
  return value.is_string() ? value : Value(to_text(interpreter, value));
}

Value trim(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Value text = to_string(interpreter, value, {});
  const Value trimmed = find_string_method("strip")(interpreter, text, arguments);
  return text_like(value, *trimmed.string());
}

Value truncate(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound("truncate", arguments, {"length", "killwords", "end", "leeway"});
  const int64_t length = bound.whole(0, 255);
  const std::string end = bound.text(2, "...");
  const int64_t leeway = bound.whole(3, 5);
  const auto size = length_of(value);
  if (!size) throw type_error("object of type '{}' has no len()", type_name(value));
  const int64_t least = character_count(end);
  if (length < least) {
    throw Failure("AssertionError", fmt::format("expected length >= {}, got {}", least, length));
  }
  if (leeway < 0) {
    throw Failure("AssertionError", fmt::format("expected leeway >= 0, got {}", leeway));
  }
  if (*size - leeway <= length) return value;
  if (!value.is_string()) throw type_error("can only truncate a str, not {}", type_name(value));
  std::string kept = value.string()->substr(0, byte_offset(*value.string(), length - least));
  if (!bound.flag(1, false)) {
    const size_t blank = kept.rfind(' ');
    if (blank != kept.npos) kept.resize(blank);
  }
  interpreter.budget.text(size_of(kept));
  return text_like(value, kept + (value.is_markup() ? escape_html(end) : end));
}

std::string percent_encoded(std::string_view text, bool for_query) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("_.-~").find(c) != std::string_view::npos ||
                       (c == '/' && !for_query);
    if (plain) {
      out += c;
    } else if (c == ' ' && for_query) {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Value url_encode(Interpreter& interpreter, const Value& value, const Arguments&) {
  if (value.is_string() || !is_iterable(value)) {
    return Value(percent_encoded(soft_text(interpreter, value), false));
  }
  Values pairs;
  if (const Dict* dict = value.dict()) {
    for (const auto& [key, item] : dict->entries()) pairs.push_back(make_tuple({key, item}));
  } else {
    pairs = items_of(interpreter.budget, value);
  }
  std::string out;
  for (const Value& pair : pairs) {
    const Values parts = items_of(interpreter.budget, pair);
    if (parts.size() != 2) throw value_error("urlencode needs pairs of a name and a value");
    if (!out.empty()) out += '&';
    out += percent_encoded(soft_text(interpreter, parts[0]), true) + "=" +
           percent_encoded(soft_text(interpreter, parts[1]), true);
  }
  return Value(std::move(out));
}

Value word_count(Interpreter& interpreter, const Value& value, const Arguments&) {
  int64_t words = 0;
  bool inside = false;
  for (const char32_t c : to_code_points(soft_text(interpreter, value))) {
    if (is_word(c) && !inside) ++words;
    inside = is_word(c);
  }
  return words;
}

Value word_wrap(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound("wordwrap", arguments,
                    {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
  if (const auto* missing = value.as<Undefined>()) missing->fail();
  if (!value.is_string()) throw type_error("'{}' object has no lines to wrap", type_name(value));
  const int64_t width = bound.whole(0, 79);
  if (width <= 0) throw value_error("invalid width {} (must be > 0)", width);
  const std::string between = bound.text(2, "\n");
  std::string out;
  bool is_first = true;
  for (const std::string& line : lines_of(interpreter.budget, *value.string())) {
    const WrapStyle style{static_cast<size_t>(width), bound.flag(1, true), bound.flag(3, true)};
    const auto pieces = wrap_line(line, style);
    if (!is_first) out += between;
    is_first = false;
    for (size_t i = 0; i < pieces.size(); ++i) out += (i > 0 ? between : "") + pieces[i];
    interpreter.budget.check_single(size_of(out));
  }
  return Value(std::move(out));
}

Value xml_attributes(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const bool space = Bound("xmlattr", arguments, {"autospace"}).flag(0, true);
  if (value.dict() == nullptr) throw type_error("xmlattr needs a dict, not {}", type_name(value));
  std::string out;
  for (const auto& [key, item] : value.dict()->entries()) {
    if (item.is_none() || item.is_undefined()) continue;
    const std::string name = to_text(interpreter, key);
    if (name.find_first_of(" \t\n\r\f\v/>=") != name.npos) {
      throw value_error("Invalid character in attribute name: {}", repr_of_text(name));
    }
    if (!out.empty()) out += ' ';
    out += escape_html(name) + "=\"" + *escaped(interpreter, item).string() + "\"";
  }
  return Value((space && !out.empty() ? " " : "") + out);
}

}  // namespace

const FilterTable& text_filters() {
  static const FilterTable table = {{"capitalize", mapped<capitalize>},
                                    {"center", center},
                                    {"e", escape},
                                    {"escape", escape},
                                    {"forceescape", force_escape},
                                    {"format", format},
                                    {"indent", indent},
                                    {"lower", mapped<lower>},
                                    {"replace", replace},
                                    {"safe", mark_safe},
                                    {"string", to_string},
                                    {"title", plain<title_words>},
                                    {"trim", trim},
                                    {"truncate", truncate},
                                    {"upper", mapped<upper>},
                                    {"urlencode", url_encode},
                                    {"wordcount", word_count},
                                    {"wordwrap", word_wrap},
                                    {"xmlattr", xml_attributes},
                                    {"striptags", plain<without_tags>}};
  return table;
}

}  // namespace alambic::jinja
