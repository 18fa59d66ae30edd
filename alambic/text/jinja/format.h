// Python's "%5.2f" % x, "{:>8}".format(x) and format specifications.
#pragma once

#include <string>
#include <string_view>

#include "alambic/text/jinja/interpreter.h"

namespace alambic::jinja {

/// `text` % `values`, which are a tuple, a dict or a single value. Markup escapes them.
Value format_percent(Interpreter& interpreter, const Value& text, const Value& values);
/// text.format(…). Attributes in fields ("{0.name}") go through the sandbox.
std::string format_braces(Interpreter& interpreter, std::string_view text,
                          const Arguments& arguments);
/// format(value, "0>8.3f")
std::string format_value(Interpreter& interpreter, const Value& value, std::string_view spec);

/// [[fill]align][sign][#][0][width][grouping][.precision][type]
struct FormatSpec {
  std::string fill = " ";
  char align = 0;  ///< < > ^ =, 0 where the type decides
  char sign = '-';
  bool alternate = false;
  int64_t width = 0;
  char grouping = 0;
  int64_t precision = -1;
  char type = 0;
};
/// A number or text formatted; `spec.type` must suit it.
std::string format_number(Budget& budget, const Value& value, FormatSpec spec);
std::string pad(Budget& budget, std::string text, const FormatSpec& spec, char align);

}  // namespace alambic::jinja
