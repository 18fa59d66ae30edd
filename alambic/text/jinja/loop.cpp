// Loops and macros, as a template sees them.
#include <algorithm>

#include "alambic/text/jinja/compare.h"
#include "alambic/text/jinja/function.h"
#include "alambic/text/jinja/interpreter.h"
#include "alambic/text/jinja/python_text.h"

namespace alambic::jinja {

bool Loop::passes(const Value& item) {
  const ExpressionPtr& test = statement->expressions[1];
  if (!test || all_pass_) return true;
  auto scope = std::make_shared<Scope>();
  scope->parent = outer;
  return interpreter.within(scope, [&] {
    interpreter.assign(*statement->target, item);
    return truthy(interpreter.evaluate(*test));
  });
}

std::optional<Value> Loop::fetch() {
  while (next_ < items.size()) {
    const Value item = items[next_++];
    if (passes(item)) return item;
  }
  return std::nullopt;
}

const std::optional<Value>& Loop::peek() {
  if (!peeked_) after_ = fetch();
  peeked_ = true;
  return after_;
}

bool Loop::advance() {
  std::optional<Value> next = peek();
  if (!next) return false;
  peeked_ = false;
  ++index0_;
  before_ = std::exchange(current_, std::move(next));
  return true;
}

int64_t Loop::length() {
  if (length_) return *length_;
  if (!statement->expressions[1]) {
    length_ = static_cast<int64_t>(items.size());
    return *length_;
  }
  const bool has_after = peeked_ && after_.has_value();
  Values rest;
  while (auto item = fetch()) rest.push_back(*item);
  length_ = static_cast<int64_t>(rest.size()) + index0_ + 1 + (has_after ? 1 : 0);
  items = std::move(rest);
  next_ = 0;
  all_pass_ = true;
  return *length_;
}

bool Loop::changed(const Values& values) {
  const auto same = [this](const Value& a, const Value& b) {
    return equal(interpreter.budget, a, b);
  };
  if (last_changed_ && std::ranges::equal(*last_changed_, values, same)) return false;
  last_changed_ = values;
  return true;
}

Value Loop::cycle(const Values& values) const {
  if (values.empty()) throw type_error("no items for cycling given");
  return values[static_cast<size_t>(index0_) % values.size()];
}

std::optional<Value> Loop::attribute(Interpreter&, const std::string& name) {
  if (name == "index0") return Value(index0_);
  if (name == "index") return Value(index0_ + 1);
  if (name == "first") return Value(index0_ == 0);
  if (name == "last") return Value(!peek().has_value());
  if (name == "length") return Value(length());
  if (name == "revindex0") return Value(length() - index0_ - 1);
  if (name == "revindex") return Value(length() - index0_);
  if (name == "depth0") return Value(depth0);
  if (name == "depth") return Value(depth0 + 1);
  if (name == "previtem") {
    return before_ && index0_ > 0 ? *before_ : undefined("there is no previous item");
  }
  if (name == "nextitem") return peek() ? *peek() : undefined("there is no next item");
  if (name == "cycle") {
    return make_function("cycle",
                         [self = shared_from_this()](Interpreter&, const Arguments& arguments) {
                           return self->cycle(arguments.positional);
                         });
  }
  if (name == "changed") {
    return make_function("changed",
                         [self = shared_from_this()](Interpreter&, const Arguments& arguments) {
                           return Value(self->changed(arguments.positional));
                         });
  }
  return std::nullopt;
}

Value Loop::call(Interpreter&, const Arguments& arguments) {
  if (!statement->recursive || !outer) {
    throw type_error("The loop must have the 'recursive' marker to be called recursively.");
  }
  const Bound bound("loop", arguments, {"iterable"}, 1);
  const Budget::Level level(interpreter.budget);
  return Value(interpreter.captured([&] {
    interpreter.within(outer,
                       [&] { return interpreter.run_loop(*statement, bound.get(0), depth0 + 1); });
  }));
}

std::string Loop::repr(Interpreter&) const {
  const auto total = length_.value_or(static_cast<int64_t>(items.size()));
  return fmt::format("<LoopContext {}/{}>", index0_ + 1, total);
}

std::string Macro::repr(Interpreter&) const {
  return code->name.empty() ? "<Macro anonymous>" : fmt::format("<Macro '{}'>", code->name);
}

Value Macro::call(Interpreter& interpreter, const Arguments& arguments) {
  return Value(interpreter.call_macro(*code, scope, arguments));
}

std::optional<Value> Macro::attribute(Interpreter&, const std::string& name) {
  if (name == "name") return code->name.empty() ? Value() : Value(code->name);
  if (name == "caller") return Value(code->takes_caller);
  if (name == "catch_kwargs") return Value(code->takes_names);
  if (name == "catch_varargs") return Value(code->takes_rest);
  if (name == "arguments") {
    return make_tuple(Values(code->signature.names.begin(), code->signature.names.end()));
  }
  return std::nullopt;
}

namespace {

std::string shown(const MacroCode& code) {
  return code.name.empty() ? "the body of a call block" : fmt::format("macro '{}'", code.name);
}

std::optional<Value> take_named(Named& named, const std::string& name) {
  std::optional<Value> value;
  const auto found = std::ranges::find(named, name, &Named::value_type::first);
  if (found == named.end()) return value;
  value.emplace(found->second);
  named.erase(found);
  return value;
}

}  // namespace

std::string Interpreter::call_macro(const MacroCode& code, const ScopePtr& outer,
                                    const Arguments& arguments) {
  const Budget::Level level(budget);
  const auto& names = code.signature.names;
  Named named = arguments.named;
  auto scope = std::make_shared<Scope>();
  scope->parent = outer;
  std::vector<std::optional<Value>> given(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    if (i < arguments.positional.size()) {
      given[i].emplace(arguments.positional[i]);
    } else {
      given[i] = take_named(named, names[i]);
    }
  }
  if (code.takes_caller && std::ranges::count(names, "caller") == 0) {
    const auto caller = take_named(named, "caller");
    scope->names["caller"] = caller ? *caller : undefined("No caller defined");
  }
  if (code.takes_names) {
    Dict rest;
    for (auto& [name, value] : named) rest.set(Value(name), value);
    scope->names["kwargs"] = make_dict(std::move(rest));
  } else if (!named.empty()) {
    throw type_error("{} takes no keyword argument '{}'", shown(code), named.front().first);
  }
  const size_t count = std::min(names.size(), arguments.positional.size());
  const auto rest = arguments.positional.begin() + static_cast<ptrdiff_t>(count);
  if (code.takes_rest) {
    scope->names["varargs"] = make_tuple({rest, arguments.positional.end()});
  } else if (rest != arguments.positional.end()) {
    throw type_error("{} takes not more than {} argument(s)", shown(code), names.size());
  }
  return within(scope, [&] {
    const size_t first_default = names.size() - code.signature.defaults.size();
    for (size_t i = 0; i < names.size(); ++i) {
      if (!given[i] && i >= first_default) {
        given[i] = evaluate(*code.signature.defaults[i - first_default]);
      }
      scope->names[names[i]] =
          given[i] ? *given[i]
                   : undefined(fmt::format("parameter '{}' was not provided", names[i]));
    }
    return captured([&] { run(code.body); });
  });
}

std::optional<Value> Namespace::attribute(Interpreter&, const std::string& name) {
  const Value* value = values.find(name);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

void Namespace::set(const std::string& name, Value value) {
  if (name.starts_with('_')) {
    throw Failure("SecurityError",
                  fmt::format("Chat templates cannot store underscore-prefixed attributes on a "
                              "namespace, but got '{}'. Please rename the attribute.",
                              name));
  }
  values.set(Value(name), std::move(value));
}

std::string Namespace::repr(Interpreter& interpreter) const {
  const Budget::Level level(interpreter.budget);
  return "<Namespace " + jinja::repr(interpreter, make_dict(values)) + ">";
}

}  // namespace alambic::jinja
