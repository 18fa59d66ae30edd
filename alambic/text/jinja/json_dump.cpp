#include "alambic/text/jinja/json_dump.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/utf8.h"
#include "alambic/text/jinja/compare.h"
#include "alambic/text/jinja/long_whole.h"
#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/sequence.h"

namespace alambic::jinja {
namespace {

class Dumper {
 public:
  Dumper(Interpreter& interpreter, const Bound& bound)
      : budget_(interpreter.budget), ascii_(bound.flag(0, false)), sort_(bound.flag(3, false)) {
    const Value indent = bound.get(1);
    indented_ = !indent.is_none();
    if (indent.is_string()) {
      indent_ = *indent.string();
    } else if (indented_) {
      const int64_t width = std::max<int64_t>(bound.whole(1), 0);
      budget_.text(width);
      indent_ = std::string(static_cast<size_t>(width), ' ');
    }
    if (indented_) comma_.resize(1);  // "," without the blank
    if (const Value separators = bound.get(2); !separators.is_none()) {
      const Values pair = items_of(budget_, separators);
      if (pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
        throw value_error("separators should be a pair of strings");
      }
      comma_ = *pair[0].string();
      colon_ = *pair[1].string();
    }
  }

  std::string dump(const Value& value) {
    write(value);
    budget_.text(static_cast<int64_t>(out_.size()));
    return std::move(out_);
  }

 private:
  void write(const Value& value) {
    const Budget::Level level(budget_);
    budget_.spend(1);
    budget_.check_single(static_cast<int64_t>(out_.size()));
    const List* list = value.list();
    if (const std::string* text = value.string()) {
      write_string(*text);
    } else if (value.dict() != nullptr) {
      write_dict(*value.dict());
    } else if (list != nullptr && !list->is_view()) {
      write_list(*list);
    } else if (const auto* number = value.as<LongWhole>()) {
      out_ += number->digits;
    } else if (value.object() != nullptr || list != nullptr) {
      throw type_error("Object of type {} is not JSON serializable", type_name(value));
    } else {
      out_ += scalar(value);
    }
  }

  static std::string scalar(const Value& value) {
    if (value.is_none()) return "null";
    if (value.is_bool()) return value.whole() != 0 ? "true" : "false";
    if (value.is_int()) return fmt::format("{}", value.whole());
    const double number = value.number();
    if (std::isnan(number)) return "NaN";
    if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
    return repr_of_float(number);
  }

  void write_string(std::string_view text) {
    budget_.spend(static_cast<int64_t>(text.size() / 32));
    out_ += '"';
    for (size_t i = 0; i < text.size();) write_character(next_code_point(text, i));
    out_ += '"';
  }

  void write_character(char32_t c) {
    constexpr std::string_view plain = "\"\\\n\r\t\f\b";
    constexpr std::string_view letters = "\"\\nrtfb";
    if (const size_t known = c < 128 ? plain.find(static_cast<char>(c)) : plain.npos;
        known != plain.npos) {
      out_ += '\\';
      out_ += letters[known];
    } else if (c < 0x20 || (ascii_ && c > 0x7E && c < 0x10000)) {
      // Python's ASCII form leaves 0x7F as it is.
      if (c == 0x7F) {
        out_ += '\x7F';
      } else {
        out_ += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
      }
    } else if (ascii_ && c >= 0x10000) {
      const auto rest = static_cast<uint32_t>(c) - 0x10000;
      out_ += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
    } else {
      append_utf8(out_, c);
    }
  }

  void line_break() {
    if (!indented_) return;
    out_ += '\n';
    for (int i = 0; i < level_; ++i) out_ += indent_;
    budget_.check_single(static_cast<int64_t>(out_.size()));
  }

  void write_list(const List& list) {
    if (list.items.empty()) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    ++level_;
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out_ += comma_;
      line_break();
      write(list.items[i]);
    }
    --level_;
    line_break();
    out_ += ']';
  }

  static std::string key_of(const Value& key) {
    if (key.is_string()) return *key.string();
    if (const auto* number = key.as<LongWhole>()) return number->digits;
    if (key.object() != nullptr || key.list() != nullptr) {
      throw type_error("keys must be str, int, float, bool or None, not {}", type_name(key));
    }
    return scalar(key);
  }

  void write_dict(const Dict& dict) {
    if (dict.size() == 0) {
      out_ += "{}";
      return;
    }
    std::vector<Dict::Entry> entries = dict.entries();
    if (sort_) {
      budget_.spend(static_cast<int64_t>(entries.size()) * 4);
      std::ranges::stable_sort(entries, [](const Dict::Entry& a, const Dict::Entry& b) {
        return less(a.first, b.first);
      });
    }
    out_ += '{';
    ++level_;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out_ += comma_;
      line_break();
      write_string(key_of(entries[i].first));
      out_ += colon_;
      write(entries[i].second);
    }
    --level_;
    line_break();
    out_ += '}';
  }

  Budget& budget_;
  bool ascii_;
  bool sort_;
  bool indented_ = false;
  std::string indent_;
  std::string comma_ = ", ";
  std::string colon_ = ": ";
  int level_ = 0;
  std::string out_;
};

}  // namespace

std::string dump_json(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  return Dumper(interpreter, bound).dump(value);
}

}  // namespace alambic::jinja
