// Functions that a template can call.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "alambic/text/jinja/arguments.h"
#include "alambic/text/jinja/value.h"

namespace alambic::jinja {

struct Function : Object {
  using Code = std::function<Value(Interpreter&, const Arguments&)>;
  Function(std::string called, Code what) : name(std::move(called)), code(std::move(what)) {}
  std::string_view type_name() const override { return "builtin_function_or_method"; }
  bool callable() const override { return true; }
  Value call(Interpreter& interpreter, const Arguments& arguments) override {
    return code(interpreter, arguments);
  }
  std::string name;
  Code code;
};

inline Value make_function(std::string name, Function::Code code) {
  return std::make_shared<Function>(std::move(name), std::move(code));
}

/// range, namespace, raise_exception, …; null when there is none of this name.
const Value* find_global(const std::string& name);

}  // namespace alambic::jinja
