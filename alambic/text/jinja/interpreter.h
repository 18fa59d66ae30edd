// Runs a template's tree. Nothing of the program is reachable from it: names lead to the given
// context, to the functions in globals.cpp, and to nothing else.
#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "alambic/text/jinja/arguments.h"
#include "alambic/text/jinja/ast.h"
#include "alambic/text/jinja/budget.h"
#include "alambic/text/jinja/value.h"

namespace alambic::jinja {

/// Variables of a block; the names live in the tree, in the context, or for ever.
struct Scope {
  std::unordered_map<std::string_view, Value> names;
  std::shared_ptr<Scope> parent;
};
using ScopePtr = std::shared_ptr<Scope>;

/// The bytes [begin, end) of the rendered text that one {% generation %} block made.
struct Span {
  size_t begin = 0;
  size_t end = 0;
};

class Interpreter {
 public:
  Interpreter(const Limits& limits, std::time_t now) : budget(limits), now_(now) {}
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  /// The whole template with the variables of `context`.
  std::string render(const Body& body, const Dict& context);
  const std::vector<Span>& generated() const { return generated_; }
  /// Current line of the template, for errors.
  int line() const { return line_; }
  std::time_t now() const { return now_; }

  Value evaluate(const Expression& node);
  Value call(const Value& callee, const Arguments& arguments);
  std::string call_macro(const MacroCode& code, const ScopePtr& outer, const Arguments& arguments);
  /// One walk of a for statement's loop over `items`.
  enum class Flow : uint8_t { normal, leave, next };
  Flow run_loop(const Statement& statement, const Value& iterable, int64_t depth);
  void assign(const Expression& target, const Value& value);
  Value lookup(const std::string& name) const;
  /// Keeps an object that might be part of a circle until the end, and then takes it apart.
  void keep(std::shared_ptr<Object> object) { kept_.push_back(std::move(object)); }

  /// Runs `action` with another scope as the current one.
  template <class Action>
  auto within(ScopePtr scope, Action action) {
    struct Guard {
      ScopePtr& current;
      ScopePtr before;
      ~Guard() { current = std::move(before); }
    } guard{scope_, std::exchange(scope_, std::move(scope))};
    return action();
  }
  /// Text that `action` writes.
  template <class Action>
  std::string captured(Action action) {
    std::string text;
    struct Guard {
      std::string*& current;
      std::string* before;
      ~Guard() { current = before; }
    } guard{out_, std::exchange(out_, &text)};
    action();
    return text;
  }
  ScopePtr inner_scope() const {
    auto scope = std::make_shared<Scope>();
    scope->parent = scope_;
    return scope;
  }
  const ScopePtr& scope() const { return scope_; }

  Budget budget;

 private:
  Flow run(const Body& body);
  Flow run(const Statement& statement);
  Flow run_choice(const Statement& statement);
  Flow run_for(const Statement& statement);
  void run_set_block(const Statement& statement);
  void run_macro(const Statement& statement);
  void run_call_block(const Statement& statement);
  Flow run_with(const Statement& statement);
  Flow run_block(const Statement& statement);
  void run_generation(const Statement& statement);
  void write(std::string_view text);

  Arguments arguments_of(const std::vector<Argument>& arguments);
  void add_names(Arguments& arguments, const Value& value);
  Value evaluate_filter(const Expression& node, const Value* block);
  Value evaluate_compare(const Expression& node);
  Value evaluate_dict(const Expression& node);
  Values evaluate_all(const std::vector<ExpressionPtr>& parts);
  Value evaluate_slice(const Expression& node);

  std::time_t now_;
  int line_ = 0;
  ScopePtr scope_;
  ScopePtr root_;
  std::string result_;
  std::string* out_ = &result_;
  std::vector<Span> generated_;
  std::vector<std::shared_ptr<Object>> kept_;
};

/// The variable `loop` of a template.
struct Loop : Object, std::enable_shared_from_this<Loop> {
  Loop(Interpreter& runner, const Statement& loop, Values values, int64_t level)
      : interpreter(runner),
        statement(&loop),
        items(std::move(values)),
        depth0(level),
        outer(runner.scope()) {}
  std::string_view type_name() const override { return "LoopContext"; }
  std::optional<Value> attribute(Interpreter&, const std::string& name) override;
  bool callable() const override { return true; }
  Value call(Interpreter&, const Arguments& arguments) override;
  std::string repr(Interpreter&) const override;

  /// Moves to the next item; false at the end.
  bool advance();
  int64_t length();
  const Value& current() const { return *current_; }
  bool changed(const Values& values);
  Value cycle(const Values& values) const;
  /// Afterwards it holds no scope, which might hold it.
  void finish() { outer.reset(); }

  Interpreter& interpreter;
  const Statement* statement;
  Values items;
  int64_t depth0;
  ScopePtr outer;  // around the loop

 private:
  std::optional<Value> fetch();
  const std::optional<Value>& peek();
  bool passes(const Value& item);

  size_t next_ = 0;
  int64_t index0_ = -1;
  std::optional<int64_t> length_;
  bool all_pass_ = false;
  bool peeked_ = false;
  std::optional<Value> before_, current_, after_;
  std::optional<Values> last_changed_;
};

struct Macro : Object {
  Macro(std::shared_ptr<const MacroCode> what, ScopePtr where)
      : code(std::move(what)), scope(std::move(where)) {}
  std::string_view type_name() const override { return "Macro"; }
  bool callable() const override { return true; }
  Value call(Interpreter& interpreter, const Arguments& arguments) override;
  std::optional<Value> attribute(Interpreter&, const std::string& name) override;
  std::string repr(Interpreter&) const override;
  std::shared_ptr<const MacroCode> code;
  ScopePtr scope;  // scope that it was defined in
};

struct Namespace : Object {
  std::string_view type_name() const override { return "TemplateNamespace"; }
  std::optional<Value> attribute(Interpreter&, const std::string& name) override;
  std::string repr(Interpreter& interpreter) const override;
  /// SecurityError for names that begin with an underscore.
  void set(const std::string& name, Value value);
  Dict values;
};

}  // namespace alambic::jinja
