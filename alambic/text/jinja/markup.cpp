#include "alambic/text/jinja/markup.h"

#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/sequence.h"

namespace alambic::jinja {

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

Value escaped(Interpreter& interpreter, const Value& value) {
  if (value.is_markup()) return value;
  const std::string text = to_text(interpreter, value);
  interpreter.budget.text(static_cast<int64_t>(text.size()), true);
  return Value::markup(escape_html(text));
}

Value text_like(const Value& model, std::string text) {
  return model.is_markup() ? Value::markup(std::move(text)) : Value(std::move(text));
}

Arguments escape_arguments(Interpreter& interpreter, const std::string& method,
                           const Arguments& arguments) {
  Arguments safe = arguments;
  if (method == "format") {
    for (Value& value : safe.positional) value = escaped(interpreter, value);
    for (auto& [name, value] : safe.named) value = escaped(interpreter, value);
  } else if (method == "join" && !safe.positional.empty()) {
    Values items = items_of(interpreter.budget, safe.positional.front());
    for (Value& item : items) item = escaped(interpreter, item);
    safe.positional.front() = make_list(std::move(items));
  } else if (method == "replace" || method == "ljust" || method == "rjust" || method == "center") {
    // Text that is put in: the new text, the fill character.
    if (safe.positional.size() > 1) safe.positional[1] = escaped(interpreter, safe.positional[1]);
  }
  return safe;
}

Value mark_result(Value result) {
  if (result.is_string()) return Value::markup(*result.string());
  if (result.list() == nullptr) return result;
  Values items = result.list()->items;
  for (Value& item : items) item = mark_result(std::move(item));
  return make_list(std::move(items), result.list()->kind);
}

}  // namespace alambic::jinja
