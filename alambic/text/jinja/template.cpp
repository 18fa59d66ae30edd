#include "alambic/text/jinja/template.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/text/jinja/json_value.h"
#include "alambic/text/jinja/parser.h"

namespace alambic::jinja {
namespace {

Error located(const std::string& name, int line, const Failure& failure) {
  if (failure.kind == "TemplateError") {
    return input_error("{}:{}: the template refuses: {}", name, line, failure.what());
  }
  if (failure.kind == "not built") {
    return input_error("{}:{}: {} is not built", name, line, failure.what());
  }
  if (failure.kind == "limit") return input_error("{}:{}: {}", name, line, failure.what());
  return input_error("{}:{}: {}: {}", name, line, failure.kind, failure.what());
}

bool mentions_generation(const Body& body) {
  return std::ranges::any_of(body, [](const Statement& statement) {
    return statement.kind == Statement::Kind::generation ||
           std::ranges::any_of(statement.bodies, mentions_generation) ||
           (statement.macro != nullptr && mentions_generation(statement.macro->body));
  });
}

}  // namespace

Template Template::parse(std::string name, std::string_view source) {
  constexpr size_t max = 1 << 20;
  if (source.size() > max) {
    throw input_error("{}: the template has {} bytes; at most {} are read", name, source.size(),
                      max);
  }
  Template made;
  made.name_ = std::move(name);
  try {
    made.body_ = std::make_shared<const Body>(parse_template(source));
  } catch (const Failure& failure) {
    throw located(made.name_, failure.line, failure);
  }
  made.has_generation_ = mentions_generation(*made.body_);
  return made;
}

Rendered Template::render(const Dict& context, const Limits& limits,
                          std::optional<std::time_t> now) const {
  Interpreter interpreter(limits, now.value_or(std::time(nullptr)));
  try {
    Rendered rendered;
    rendered.text = interpreter.render(*body_, context);
    rendered.generated = interpreter.generated();
    return rendered;
  } catch (const Failure& failure) {
    throw located(name_, failure.line > 0 ? failure.line : interpreter.line(), failure);
  }
}

Value parse_json(const std::string& name, std::string_view json) {
  const JsonFile file = JsonFile::parse(name, json);
  return value_of(file.root());
}

}  // namespace alambic::jinja
