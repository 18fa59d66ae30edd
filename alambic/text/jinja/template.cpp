#include "alambic/text/jinja/template.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/text/jinja/parser.h"
#include "alambic/text/json_view.h"

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

Value from_json(simdjson::dom::element json) {
  switch (json.type()) {
    case simdjson::dom::element_type::ARRAY: {
      Values items;
      for (const auto item : simdjson::dom::array(json)) items.push_back(from_json(item));
      return make_list(std::move(items));
    }
    case simdjson::dom::element_type::OBJECT: {
      Dict dict;
      for (const auto& [key, item] : simdjson::dom::object(json)) {
        dict.set(Value(key), from_json(item));
      }
      return make_dict(std::move(dict));
    }
    case simdjson::dom::element_type::INT64:
      return int64_t(json);
    case simdjson::dom::element_type::UINT64:
      return static_cast<double>(uint64_t(json));
    case simdjson::dom::element_type::DOUBLE:
      return double(json);
    case simdjson::dom::element_type::STRING:
      return Value(std::string_view(json));
    case simdjson::dom::element_type::BOOL:
      return bool(json);
    default:
      return {};
  }
}

}  // namespace

Template Template::parse(std::string name, std::string_view source) {
  constexpr size_t most = 1 << 20;
  if (source.size() > most) {
    throw input_error("{}: the template has {} bytes; at most {} are read", name, source.size(),
                      most);
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
  return from_json(file.root().element());
}

}  // namespace alambic::jinja
