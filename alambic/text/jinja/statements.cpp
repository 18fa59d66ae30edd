// Statements of a template.
#include <algorithm>

#include "alambic/text/jinja/filters.h"
#include "alambic/text/jinja/interpreter.h"
#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/sequence.h"

namespace alambic::jinja {

Interpreter::~Interpreter() {
  // A namespace may hold itself, a macro the scope that holds it.
  for (const auto& object : kept_) {
    if (auto* macro = dynamic_cast<Macro*>(object.get())) macro->scope.reset();
    if (auto* space = dynamic_cast<Namespace*>(object.get())) space->values = Dict();
  }
}

std::string Interpreter::render(const Body& body, const Dict& context) {
  root_ = std::make_shared<Scope>();
  for (const auto& [name, value] : context.entries()) {
    if (name.is_string()) root_->names.emplace(*name.string(), value);
  }
  scope_ = root_;
  run(body);
  return std::move(result_);
}

void Interpreter::write(std::string_view text) {
  budget.text(static_cast<int64_t>(text.size()));
  budget.check_single(static_cast<int64_t>(out_->size() + text.size()));
  *out_ += text;
}

Interpreter::Flow Interpreter::run(const Body& body) {
  for (const Statement& statement : body) {
    const Flow flow = run(statement);
    if (flow != Flow::normal) return flow;
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::run(const Statement& statement) {
  using Kind = Statement::Kind;
  const Budget::Level level(budget);
  budget.spend(1);
  line_ = statement.line;
  switch (statement.kind) {
    case Kind::text:
      write(statement.text);
      break;
    case Kind::print: {
      const Value value = evaluate(*statement.expressions.front());
      write(value.is_string() ? *value.string() : to_text(*this, value));
      break;
    }
    case Kind::choose:
      return run_choice(statement);
    case Kind::loop:
      return run_for(statement);
    case Kind::set:
      assign(*statement.target, evaluate(*statement.expressions.front()));
      break;
    case Kind::set_block:
      run_set_block(statement);
      break;
    case Kind::macro:
      run_macro(statement);
      break;
    case Kind::call:
      run_call_block(statement);
      break;
    case Kind::filter: {
      const Value text(
          captured([&] { within(inner_scope(), [&] { return run(statement.bodies.front()); }); }));
      write(to_text(*this, evaluate_filter(*statement.expressions.front(), &text)));
      break;
    }
    case Kind::with:
      return run_with(statement);
    case Kind::generation:
      run_generation(statement);
      break;
    case Kind::block:
      return run_block(statement);
    case Kind::leave:
      return Flow::leave;
    case Kind::next:
      return Flow::next;
    case Kind::other_template:
      throw type_error("no loader for this environment specified ({{% {} %}} has nowhere to look)",
                       statement.text);
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::run_choice(const Statement& statement) {
  for (size_t i = 0; i < statement.bodies.size(); ++i) {
    const bool is_else = i >= statement.expressions.size();
    if (is_else || truthy(evaluate(*statement.expressions[i]))) return run(statement.bodies[i]);
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::run_for(const Statement& statement) {
  return run_loop(statement, evaluate(*statement.expressions.front()), 0);
}

Interpreter::Flow Interpreter::run_loop(const Statement& statement, const Value& iterable,
                                        int64_t depth) {
  const auto loop = std::make_shared<Loop>(*this, statement, items_of(budget, iterable), depth);
  struct Guard {
    Loop& loop;
    ~Guard() { loop.finish(); }
  } guard{*loop};
  // As in Jinja, `else` runs unless the body once came to its end: a `continue` does not count.
  bool ended = false;
  while (loop->advance()) {
    budget.spend(1);
    const Flow flow = within(inner_scope(), [&] {
      scope_->names["loop"] = loop;
      assign(*statement.target, loop->current());
      return run(statement.bodies.front());
    });
    if (flow == Flow::leave) break;
    if (flow == Flow::normal) ended = true;
  }
  if (ended || statement.bodies.size() < 2) return Flow::normal;
  return within(inner_scope(), [&] { return run(statement.bodies[1]); });
}

void Interpreter::run_set_block(const Statement& statement) {
  Value value(
      captured([&] { within(inner_scope(), [&] { return run(statement.bodies.front()); }); }));
  if (const ExpressionPtr& filter = statement.expressions.front()) {
    value = evaluate_filter(*filter, &value);
  }
  assign(*statement.target, value);
}

void Interpreter::run_macro(const Statement& statement) {
  auto macro = std::make_shared<Macro>(statement.macro, scope_);
  keep(macro);
  scope_->names[statement.text] = macro;
}

void Interpreter::run_call_block(const Statement& statement) {
  const Expression& node = *statement.expressions.front();
  auto caller = std::make_shared<Macro>(statement.macro, scope_);
  keep(caller);
  const Value callee = evaluate(*node.parts.front());
  Arguments arguments = arguments_of(node.arguments);
  arguments.named.emplace_back("caller", caller);
  write(to_text(*this, call(callee, arguments)));
}

Interpreter::Flow Interpreter::run_with(const Statement& statement) {
  const Values values = evaluate_all(statement.expressions);
  return within(inner_scope(), [&] {
    for (size_t i = 0; i < values.size(); ++i) assign(*statement.targets[i], values[i]);
    return run(statement.bodies.front());
  });
}

Interpreter::Flow Interpreter::run_block(const Statement& statement) {
  auto scope = std::make_shared<Scope>();
  scope->parent = statement.scoped ? scope_ : root_;
  return within(scope, [&] { return run(statement.bodies.front()); });
}

void Interpreter::run_generation(const Statement& statement) {
  const std::string text =
      captured([&] { within(inner_scope(), [&] { return run(statement.bodies.front()); }); });
  // The beginning as in the reference: behind what the template itself has written so far.
  generated_.push_back({result_.size(), result_.size() + text.size()});
  write(text);
}

void Interpreter::assign(const Expression& target, const Value& value) {
  if (target.kind == Expression::Kind::name) {
    scope_->names[target.text] = value;
    return;
  }
  if (target.kind == Expression::Kind::namespaced) {
    const Value owner = lookup(target.text);
    auto* space = owner.as<Namespace>();
    if (space == nullptr) {
      throw Failure("TemplateRuntimeError", "cannot assign attribute on non-namespace object");
    }
    space->set(*target.constant.string(), value);
    return;
  }
  if (!is_iterable(value)) {
    throw type_error("cannot unpack non-iterable {} object", type_name(value));
  }
  const Values items = items_of(budget, value);
  if (items.size() != target.parts.size()) {
    throw value_error(
        "{} values to unpack (expected {}{})",
        items.size() < target.parts.size() ? "not enough" : "too many", target.parts.size(),
        items.size() < target.parts.size() ? fmt::format(", got {}", items.size()) : "");
  }
  for (size_t i = 0; i < items.size(); ++i) assign(*target.parts[i], items[i]);
}

}  // namespace alambic::jinja
