// Expressions of a template.
#include <algorithm>

#include "alambic/text/jinja/attributes.h"
#include "alambic/text/jinja/compare.h"
#include "alambic/text/jinja/filters.h"
#include "alambic/text/jinja/function.h"
#include "alambic/text/jinja/interpreter.h"
#include "alambic/text/jinja/operators.h"
#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/sequence.h"
#include "alambic/text/jinja/tests.h"

namespace alambic::jinja {

Value Interpreter::lookup(const std::string& name) const {
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->parent.get()) {
    const auto found = scope->names.find(name);
    if (found != scope->names.end()) return found->second;
  }
  if (const Value* global = find_global(name)) return *global;
  return undefined(fmt::format("'{}' is undefined", name));
}

Value Interpreter::evaluate(const Expression& node) {
  using Kind = Expression::Kind;
  const Budget::Level level(budget);
  budget.spend(1);
  if (node.line > 0) line_ = node.line;
  switch (node.kind) {
    case Kind::constant:
      return node.constant;
    case Kind::namespaced:
    case Kind::name:
      return lookup(node.text);
    case Kind::list:
      return make_list(evaluate_all(node.parts));
    case Kind::tuple:
      return make_tuple(evaluate_all(node.parts));
    case Kind::dict:
      return evaluate_dict(node);
    case Kind::attribute:
      return get_attribute(*this, evaluate(*node.parts[0]), node.text);
    case Kind::item: {
      const Value object = evaluate(*node.parts[0]);
      return get_item(*this, object, evaluate(*node.parts[1]));
    }
    case Kind::slice:
      return evaluate_slice(node);
    case Kind::call: {
      const Value callee = evaluate(*node.parts.front());
      return call(callee, arguments_of(node.arguments));
    }
    case Kind::filter:
      return evaluate_filter(node, nullptr);
    case Kind::test: {
      const Value value = evaluate(*node.parts.front());
      return run_test(*this, node.text, value, arguments_of(node.arguments));
    }
    case Kind::negate:
      return negate(evaluate(*node.parts[0]), node.text == "-");
    case Kind::binary: {
      const Value left = evaluate(*node.parts[0]);
      return binary(*this, node.text, left, evaluate(*node.parts[1]));
    }
    case Kind::concat: {
      std::string text;
      for (const ExpressionPtr& part : node.parts) {
        text += to_text(*this, evaluate(*part));
        budget.check_single(static_cast<int64_t>(text.size()));
      }
      budget.text(static_cast<int64_t>(text.size()));
      return Value(std::move(text));
    }
    case Kind::compare:
      return evaluate_compare(node);
    case Kind::both: {
      Value left = evaluate(*node.parts[0]);
      return truthy(left) ? evaluate(*node.parts[1]) : left;
    }
    case Kind::either: {
      Value left = evaluate(*node.parts[0]);
      return truthy(left) ? left : evaluate(*node.parts[1]);
    }
    case Kind::inverse:
      return !truthy(evaluate(*node.parts[0]));
    case Kind::conditional:
      if (truthy(evaluate(*node.parts[0]))) return evaluate(*node.parts[1]);
      if (node.parts[2]) return evaluate(*node.parts[2]);
      return undefined(
          "the inline if-expression evaluated to false and no else section was "
          "defined.");
  }
  return {};
}

Values Interpreter::evaluate_all(const std::vector<ExpressionPtr>& parts) {
  Values values;
  for (const ExpressionPtr& part : parts) values.push_back(evaluate(*part));
  return values;
}

Value Interpreter::evaluate_dict(const Expression& node) {
  Dict dict;
  for (size_t i = 0; i < node.parts.size(); i += 2) {
    const Value key = evaluate(*node.parts[i]);
    budget.spend(weight_of(key));
    dict.set(key, evaluate(*node.parts[i + 1]));
  }
  return make_dict(std::move(dict));
}

Value Interpreter::evaluate_slice(const Expression& node) {
  const auto part = [&](size_t i) { return node.parts[i] ? evaluate(*node.parts[i]) : Value(); };
  const Value object = part(0);
  const Value start = part(1);
  const Value stop = part(2);
  return slice(budget, object, start, stop, part(3));
}

Value Interpreter::evaluate_compare(const Expression& node) {
  Value left = evaluate(*node.parts[0]);
  for (size_t i = 0; i < node.operators.size(); ++i) {
    const std::string& op = node.operators[i];
    Value right = evaluate(*node.parts[i + 1]);
    const bool is_in = op == "in" || op == "not in";
    const bool holds =
        is_in ? contains(budget, right, left) == (op == "in") : compare(budget, left, right, op);
    if (!holds) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::evaluate_filter(const Expression& node, const Value* block) {
  const ExpressionPtr& inner = node.parts.front();
  // In a chain over a block, the innermost filter takes the block's text.
  const bool chained = inner && inner->kind == Expression::Kind::filter && block != nullptr;
  const Value value = chained ? evaluate_filter(*inner, block) : inner ? evaluate(*inner) : *block;
  const Arguments arguments = arguments_of(node.arguments);
  if (node.line > 0) line_ = node.line;
  return apply_filter(*this, node.text, value, arguments);
}

void Interpreter::add_names(Arguments& arguments, const Value& value) {
  const Dict* dict = value.dict();
  if (dict == nullptr)
    throw type_error("argument after ** must be a mapping, not {}", type_name(value));
  for (const auto& [name, item] : dict->entries()) {
    if (!name.is_string()) throw type_error("keywords must be strings");
    arguments.named.emplace_back(*name.string(), item);
  }
}

Arguments Interpreter::arguments_of(const std::vector<Argument>& arguments) {
  Arguments values;
  for (const Argument& argument : arguments) {
    Value value = evaluate(*argument.value);
    switch (argument.kind) {
      case Argument::Kind::positional:
        values.positional.push_back(std::move(value));
        break;
      case Argument::Kind::named:
        values.named.emplace_back(argument.name, std::move(value));
        break;
      case Argument::Kind::row:
        for (Value& item : items_of(budget, value)) values.positional.push_back(std::move(item));
        break;
      case Argument::Kind::names:
        add_names(values, value);
        break;
    }
  }
  return values;
}

Value Interpreter::call(const Value& callee, const Arguments& arguments) {
  if (const auto* missing = callee.as<Undefined>()) missing->fail();
  Object* object = callee.object();
  if (object == nullptr || !object->callable()) {
    throw type_error("'{}' object is not callable", type_name(callee));
  }
  return object->call(*this, arguments);
}

}  // namespace alambic::jinja
