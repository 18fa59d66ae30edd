#include "alambic/text/jinja/split.h"

#include <algorithm>

#include "alambic/base/utf8.h"
#include "alambic/text/jinja/unicode.h"
#include "alambic/text/jinja/whole.h"

namespace alambic::jinja {
namespace {

using Parts = std::vector<std::string>;

Value list_of(Budget& budget, const Parts& parts) {
  Values values;
  for (const std::string& part : parts) values.emplace_back(part);
  budget.spend(static_cast<int64_t>(parts.size()));
  return make_list(std::move(values));
}

// Words between white space; the rest keeps its end when `most` cuts are made.
Parts split_at_space(std::string_view text, int64_t max, bool from_right) {
  Parts parts;
  std::string rest = strip(text, nullptr, !from_right, from_right);
  while (!rest.empty() && (max < 0 || static_cast<int64_t>(parts.size()) < max)) {
    std::u32string row = to_code_points(rest);
    size_t end = row.size();
    if (from_right) {
      while (end > 0 && !is_space_character(row[end - 1])) --end;
      parts.push_back(to_utf8(std::u32string_view(row).substr(end)));
      rest = strip(to_utf8(std::u32string_view(row).substr(0, end)), nullptr, false, true);
    } else {
      end = 0;
      while (end < row.size() && !is_space_character(row[end])) ++end;
      parts.push_back(to_utf8(std::u32string_view(row).substr(0, end)));
      rest = strip(to_utf8(std::u32string_view(row).substr(end)), nullptr, true, false);
    }
  }
  if (!rest.empty()) parts.push_back(rest);
  if (from_right) std::ranges::reverse(parts);
  return parts;
}

Parts split_at_all_space(std::string_view text) {
  Parts parts;
  std::string word;
  for (size_t i = 0; i < text.size();) {
    const size_t start = i;
    if (!is_space_character(next_code_point(text, i))) {
      word += text.substr(start, i - start);
    } else if (!word.empty()) {
      parts.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) parts.push_back(std::move(word));
  return parts;
}

Parts split_at(std::string_view text, std::string_view separator, int64_t max, bool from_right) {
  Parts parts;
  while (max < 0 || static_cast<int64_t>(parts.size()) < max) {
    const size_t at = from_right ? text.rfind(separator) : text.find(separator);
    if (at == text.npos) break;
    if (from_right) {
      parts.emplace_back(text.substr(at + separator.size()));
      text = text.substr(0, at);
    } else {
      parts.emplace_back(text.substr(0, at));
      text = text.substr(at + separator.size());
    }
  }
  parts.emplace_back(text);
  if (from_right) std::ranges::reverse(parts);
  return parts;
}

bool ends_line(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

}  // namespace

template <bool from_right>
Value split(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Bound bound("split", arguments, {"sep", "maxsplit"});
  const std::string& text = *object.string();
  const int64_t max = bound.whole(1, -1);
  interpreter.budget.text(static_cast<int64_t>(text.size()), true);
  if (bound.get(0).is_none()) {
    if (max < 0) return list_of(interpreter.budget, split_at_all_space(text));
    // Each cut copies the rest.
    interpreter.budget.spend(std::min(max, static_cast<int64_t>(text.size())) *
                             static_cast<int64_t>(text.size() / 16));
    return list_of(interpreter.budget, split_at_space(text, max, from_right));
  }
  const std::string separator = bound.text(0);
  if (separator.empty()) throw value_error("empty separator");
  return list_of(interpreter.budget, split_at(text, separator, max, from_right));
}

template <bool from_right>
Value partition(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const std::string separator = Bound("partition", arguments, {"sep"}, 1).text(0);
  const std::string& text = *object.string();
  if (separator.empty()) throw value_error("empty separator");
  interpreter.budget.text(static_cast<int64_t>(text.size()));
  const size_t at = from_right ? text.rfind(separator) : text.find(separator);
  if (at == text.npos) {
    return from_right ? make_tuple({"", "", Value(text)}) : make_tuple({Value(text), "", ""});
  }
  return make_tuple(
      {Value(text.substr(0, at)), Value(separator), Value(text.substr(at + separator.size()))});
}

template Value split<true>(Interpreter&, const Value&, const Arguments&);
template Value split<false>(Interpreter&, const Value&, const Arguments&);
template Value partition<true>(Interpreter&, const Value&, const Arguments&);
template Value partition<false>(Interpreter&, const Value&, const Arguments&);

Value split_lines(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Bound bound("splitlines", arguments, {"keepends"});
  return list_of(interpreter.budget,
                 lines_of(interpreter.budget, *object.string(), bound.flag(0, false)));
}

std::vector<std::string> lines_of(Budget& budget, const std::string& text, bool keep_ends) {
  budget.text(static_cast<int64_t>(text.size()), true);
  std::vector<std::string> lines;
  size_t start = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t end = i;
    const char32_t c = next_code_point(text, i);
    if (!ends_line(c)) continue;
    if (c == '\r' && i < text.size() && text[i] == '\n') ++i;
    lines.push_back(text.substr(start, (keep_ends ? i : end) - start));
    start = i;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  budget.spend(static_cast<int64_t>(lines.size()));
  return lines;
}

std::string replace_text(Budget& budget, const std::string& text, const std::string& old,
                         const std::string& with, int64_t count) {
  budget.text(static_cast<int64_t>(text.size()));
  std::string out;
  size_t at = 0;
  for (int64_t done = 0; count < 0 || done < count; ++done) {
    const size_t found = old.empty() ? at : text.find(old, at);
    if (found == text.npos) break;
    out.append(text, at, found - at);
    out += with;
    at = found + old.size();
    budget.spend(1);
    budget.check_single(static_cast<int64_t>(out.size()));
    if (!old.empty()) continue;
    if (at >= text.size()) break;
    const size_t length = utf8_length(static_cast<unsigned char>(text[at]));
    out.append(text, at, length);
    at += length;
  }
  out.append(text, std::min(at, text.size()));
  budget.text(static_cast<int64_t>(out.size()));
  return out;
}

std::string center_text(Budget& budget, const std::string& text, int64_t width,
                        const std::string& fill) {
  const int64_t size = character_count(text);
  if (width <= size) return text;
  const int64_t missing = width - size;
  budget.text(total(missing, static_cast<int64_t>(fill.size())));
  const int64_t left = missing / 2 + (missing & width & 1);
  std::string out;
  for (int64_t i = 0; i < left; ++i) out += fill;
  out += text;
  for (int64_t i = left; i < missing; ++i) out += fill;
  return out;
}

}  // namespace alambic::jinja
