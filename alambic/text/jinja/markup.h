// Jinja's Markup: text that is HTML already. Nothing escapes by itself under transformers'
// settings, but the filters escape and safe make Markup, and what is then joined to it is escaped.
#pragma once

#include <string>
#include <string_view>

#include "alambic/text/jinja/interpreter.h"

namespace alambic::jinja {

std::string escape_html(std::string_view text);
/// The value as Markup; Markup stays as it is.
Value escaped(Interpreter& interpreter, const Value& value);
/// The text, as Markup if `model` is.
Value text_like(const Value& model, std::string text);

/// Arguments of a method of Markup, escaped; and its result, as Markup.
Arguments escape_arguments(Interpreter& interpreter, const std::string& method,
                           const Arguments& arguments);
Value mark_result(Value result);

}  // namespace alambic::jinja
