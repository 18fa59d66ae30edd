// Jinja templates, rendered as transformers' apply_chat_template does:
// ImmutableSandboxedEnvironment with trim_blocks, lstrip_blocks, break and continue,
// raise_exception, strftime_now, its own tojson and {% generation %} blocks. Byte for byte what
// Jinja2 3.1.6 makes.
//
// Differences, on purpose: computing with whole numbers of more than 64 bits is refused (rows may
// have them, and they are written with all their digits); nothing prints an address in memory;
// there is no autoescape block, no pprint, random, urlize, lipsum.
#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alambic/text/jinja/budget.h"
#include "alambic/text/jinja/interpreter.h"
#include "alambic/text/jinja/value.h"

namespace alambic::jinja {

struct Rendered {
  std::string text;
  std::vector<Span> generated;  ///< texts of {% generation %} blocks, in order of their ends
};

class Template {
 public:
  /// Template of `source`. Input errors say "name:line: …".
  static Template parse(std::string name, std::string_view source);

  /// Text of the template with the variables of `context`. Input errors name the template, the line
  /// and what Jinja would have raised there. `now` is the time that strftime_now reads, the current
  /// one when it is not given.
  Rendered render(const Dict& context, const Limits& limits = {},
                  std::optional<std::time_t> now = std::nullopt) const;

  const std::string& name() const { return name_; }
  /// Whether it marks what the assistant wrote.
  bool has_generation() const { return has_generation_; }

 private:
  std::string name_;
  std::shared_ptr<const Body> body_;
  bool has_generation_ = false;
};

/// A JSON text as a value. `name` is what errors call it.
Value parse_json(const std::string& name, std::string_view json);

}  // namespace alambic::jinja
