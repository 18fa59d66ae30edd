#include <algorithm>
#include <cmath>

#include "alambic/text/jinja/format.h"
#include "alambic/text/jinja/long_whole.h"
#include "alambic/text/jinja/markup.h"
#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/unicode.h"
#include "alambic/text/jinja/whole.h"

namespace alambic::jinja {
namespace {

class PercentFormatter {
 public:
  PercentFormatter(Interpreter& interpreter, const Value& text, const Value& values)
      : interpreter_(interpreter),
        escapes_(text.is_markup()),
        text_(*text.string()),
        values_(values) {
    if (values.list() != nullptr && values.list()->is_tuple()) {
      row_ = values.list()->items;
    } else {
      row_ = {values};
    }
  }

  std::string format() {
    std::string out;
    while (at_ < text_.size()) {
      if (text_[at_] == '%') {
        ++at_;
        out += conversion();
      } else {
        const size_t end = std::min(text_.find('%', at_), text_.size());
        out += text_.substr(at_, end - at_);
        at_ = end;
      }
      interpreter_.budget.check_single(static_cast<int64_t>(out.size()));
    }
    const bool may_remain =
        values_.dict() != nullptr || (values_.list() != nullptr && !values_.list()->is_tuple());
    if (next_ < row_.size() && !may_remain && !named_) {
      throw type_error("not all arguments converted during string formatting");
    }
    return out;
  }

 private:
  bool sees(char c) const { return at_ < text_.size() && text_[at_] == c; }

  Value next() {
    if (next_ >= row_.size()) throw type_error("not enough arguments for format string");
    return row_[next_++];
  }

  int64_t number() {
    if (sees('*')) {
      ++at_;
      const Value value = next();
      if (!value.is_whole()) throw type_error("* wants int");
      constexpr int64_t max = int64_t{1} << 40;
      return std::clamp(value.whole(), -max, max);
    }
    int64_t value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      value = std::min<int64_t>(value * 10 + (text_[at_] - '0'), int64_t{1} << 40);
    }
    return value;
  }

  std::optional<Value> named_value() {
    if (!sees('(')) return std::nullopt;
    const size_t end = text_.find(')', at_);
    if (end == text_.npos) throw value_error("incomplete format key");
    if (values_.dict() == nullptr) throw type_error("format requires a mapping");
    const std::string key(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    named_ = true;
    const Value* value = values_.dict()->find(key);
    if (value == nullptr) throw Failure("KeyError", repr_of_text(key));
    return *value;
  }

  FormatSpec flags() {
    FormatSpec spec;
    spec.align = '>';
    bool zero = false;
    for (; at_ < text_.size() && std::string_view("-+ #0").find(text_[at_]) != std::string::npos;
         ++at_) {
      if (text_[at_] == '-') spec.align = '<';
      if (text_[at_] == '+' || (text_[at_] == ' ' && spec.sign != '+')) spec.sign = text_[at_];
      if (text_[at_] == '#') spec.alternate = true;
      if (text_[at_] == '0') zero = true;
    }
    if (zero && spec.align == '>') {
      spec.fill = "0";
      spec.align = '=';
    }
    spec.width = number();
    if (spec.width < 0) {
      spec.align = '<';
      spec.width = -spec.width;
    }
    if (sees('.')) {
      ++at_;
      spec.precision = std::max<int64_t>(number(), 0);
    }
    while (sees('l') || sees('h') || sees('L')) ++at_;
    return spec;
  }

  std::string conversion() {
    const auto named = named_value();
    FormatSpec spec = flags();
    if (at_ == text_.size()) throw value_error("incomplete format");
    const char type = text_[at_++];
    if (type == '%') return "%";
    const Value value = named ? *named : next();
    if (type == 's' || type == 'r' || type == 'a') {
      std::string text = type == 's' ? to_text(interpreter_, value) : repr(interpreter_, value);
      if (escapes_ && !(type == 's' && value.is_markup())) text = escape_html(text);
      if (spec.precision >= 0) text.resize(byte_offset(text, spec.precision));
      return padded(std::move(text), spec);
    }
    if (type == 'c') return padded(character(value), spec);
    return format_as_number(value, spec, type);
  }

  std::string padded(std::string text, FormatSpec spec) {
    spec.fill = " ";
    return pad(interpreter_.budget, std::move(text), spec, spec.align == '<' ? '<' : '>');
  }

  static std::string character(const Value& value) {
    if (value.is_string() && character_count(*value.string()) == 1) return *value.string();
    if (!value.is_whole()) throw type_error("%c requires int or char");
    return character_of(value.whole());
  }

  std::string format_as_number(Value value, FormatSpec spec, char type) {
    const bool is_float = std::string_view("eEfFgG").find(type) != std::string_view::npos;
    const bool is_base = std::string_view("xXo").find(type) != std::string_view::npos;
    if (!is_float && !is_base && type != 'd' && type != 'i' && type != 'u') {
      throw value_error("unsupported format character '{}' ({:#x}) at index {}", type,
                        static_cast<unsigned>(type), at_ - 1);
    }
    if (const auto* missing = value.as<Undefined>()) missing->fail();
    if (const auto* number = value.as<LongWhole>()) {
      if (is_float || is_base || spec.precision >= 0) throw too_long_number();
      return padded(number->digits, spec);
    }
    if (!value.is_number()) {
      if (is_float) throw type_error("must be real number, not {}", type_name(value));
      throw type_error("%{} format: {} is required, not {}", type,
                       is_base ? "an integer" : "a real number", type_name(value));
    }
    if (!is_float && value.is_float()) {
      if (is_base) throw type_error("%{} format: an integer is required, not float", type);
      const auto whole = whole_of(value.number());
      if (!whole) throw too_long_number();
      value = *whole;
    }
    spec.type = type == 'i' || type == 'u' ? 'd' : type;
    if (!is_float) return whole_number(value, spec);
    return format_number(interpreter_.budget, value, spec);
  }

  // The precision of a whole number is its least count of digits.
  std::string whole_number(const Value& value, const FormatSpec& spec) {
    if (spec.precision < 0) return format_number(interpreter_.budget, value, spec);
    FormatSpec digits = spec;
    digits.fill = "0";
    digits.align = '=';
    digits.precision = -1;
    digits.width = spec.precision + (value.whole() < 0 || spec.sign != '-' ? 1 : 0);
    return padded(format_number(interpreter_.budget, value, digits), spec);
  }

  Interpreter& interpreter_;
  bool escapes_;
  std::string_view text_;
  const Value& values_;
  Values row_;
  size_t at_ = 0;
  size_t next_ = 0;
  bool named_ = false;
};

}  // namespace

Value format_percent(Interpreter& interpreter, const Value& text, const Value& values) {
  interpreter.budget.spend(static_cast<int64_t>(text.string()->size() / 16));
  return text_like(text, PercentFormatter(interpreter, text, values).format());
}

}  // namespace alambic::jinja
