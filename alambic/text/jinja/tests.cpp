#include "alambic/text/jinja/tests.h"

#include <unordered_map>

#include "alambic/text/jinja/compare.h"
#include "alambic/text/jinja/filters.h"
#include "alambic/text/jinja/long_whole.h"
#include "alambic/text/jinja/methods.h"
#include "alambic/text/jinja/operators.h"
#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/sequence.h"

namespace alambic::jinja {
namespace {

using Test = bool (*)(Interpreter&, const Value&, const Values&);

int64_t remainder(Interpreter& interpreter, const Value& value, const Value& by) {
  const Value rest = binary(interpreter, "%", value, by);
  return rest.is_float()   ? (rest.number() == 0   ? 0
                              : rest.number() == 1 ? 1
                                                   : 2)
         : rest.is_whole() ? rest.whole()
                           : 2;
}

bool has_case(Interpreter& interpreter, const Value& value, const char* method) {
  return truthy(find_string_method(method)(interpreter, Value(to_text(interpreter, value)), {}));
}

template <char first, char second>
bool compares(Interpreter& interpreter, const Value& value, const Values& other) {
  constexpr char op[] = {first, second, '\0'};
  return compare(interpreter.budget, value, other[0], op);
}

bool is_callable(Interpreter&, const Value& value, const Values&) {
  return value.is_undefined() || (value.object() != nullptr && value.object()->callable());
}

bool is_sequence(Interpreter&, const Value& value, const Values&) {
  const bool view = value.list() != nullptr && value.list()->is_view();
  return length_of(value).has_value() && !view && value.as<Loop>() == nullptr;
}

struct Entry {
  Test test;
  size_t arguments = 0;
};

// A test that looks at the value alone.
template <bool (*holds)(const Value&)>
bool of_value(Interpreter&, const Value& value, const Values&) {
  return holds(value);
}

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is_none(); }
bool is_boolean(const Value& value) { return value.is_bool(); }
bool is_false(const Value& value) { return value.is_bool() && value.whole() == 0; }
bool is_true(const Value& value) { return value.is_bool() && value.whole() == 1; }
bool is_integer(const Value& value) { return value.is_int() || value.as<LongWhole>() != nullptr; }
bool is_float(const Value& value) { return value.is_float(); }
bool is_number(const Value& value) { return is_numeric(value); }
bool is_string(const Value& value) { return value.is_string(); }
bool is_mapping(const Value& value) { return value.dict() != nullptr; }
bool is_escaped(const Value& value) { return value.is_markup(); }
bool names_filter(const Value& value) { return value.is_string() && is_filter(*value.string()); }

bool is_odd(Interpreter& interpreter, const Value& value, const Values&) {
  return remainder(interpreter, value, int64_t{2}) == 1;
}
bool is_even(Interpreter& interpreter, const Value& value, const Values&) {
  return remainder(interpreter, value, int64_t{2}) == 0;
}
bool is_divisible(Interpreter& interpreter, const Value& value, const Values& by) {
  return remainder(interpreter, value, by[0]) == 0;
}
bool is_lower(Interpreter& interpreter, const Value& value, const Values&) {
  return has_case(interpreter, value, "islower");
}
bool is_upper(Interpreter& interpreter, const Value& value, const Values&) {
  return has_case(interpreter, value, "isupper");
}
bool is_same(Interpreter&, const Value& value, const Values& other) {
  return value.same_as(other[0]);
}
bool is_in(Interpreter& interpreter, const Value& value, const Values& row) {
  return contains(interpreter.budget, row[0], value);
}

const std::unordered_map<std::string_view, Entry>& table() {
  static const Entry equal{compares<'=', '='>, 1};
  static const Entry unequal{compares<'!', '='>, 1};
  static const Entry greater{compares<'>', '\0'>, 1};
  static const Entry at_least{compares<'>', '='>, 1};
  static const Entry less{compares<'<', '\0'>, 1};
  static const Entry at_most{compares<'<', '='>, 1};
  static const std::unordered_map<std::string_view, Entry> tests = {
      {"odd", {is_odd}},
      {"even", {is_even}},
      {"divisibleby", {is_divisible, 1}},
      {"defined", {of_value<is_defined>}},
      {"undefined", {of_value<is_undefined>}},
      {"filter", {of_value<names_filter>}},
      {"none", {of_value<is_none>}},
      {"boolean", {of_value<is_boolean>}},
      {"false", {of_value<is_false>}},
      {"true", {of_value<is_true>}},
      {"integer", {of_value<is_integer>}},
      {"float", {of_value<is_float>}},
      {"number", {of_value<is_number>}},
      {"string", {of_value<is_string>}},
      {"mapping", {of_value<is_mapping>}},
      {"iterable", {of_value<is_iterable>}},
      {"escaped", {of_value<is_escaped>}},
      {"lower", {is_lower}},
      {"upper", {is_upper}},
      {"callable", {is_callable}},
      {"sequence", {is_sequence}},
      {"sameas", {is_same, 1}},
      {"in", {is_in, 1}},
      {"==", equal},
      {"eq", equal},
      {"equalto", equal},
      {"!=", unequal},
      {"ne", unequal},
      {">", greater},
      {"gt", greater},
      {"greaterthan", greater},
      {">=", at_least},
      {"ge", at_least},
      {"<", less},
      {"lt", less},
      {"lessthan", less},
      {"<=", at_most},
      {"le", at_most},
  };
  return tests;
}

}  // namespace

bool run_test(Interpreter& interpreter, const std::string& name, const Value& value,
              const Arguments& arguments) {
  interpreter.budget.spend(1);
  if (name == "test")
    return value.is_string() && (*value.string() == "test" || table().contains(*value.string()));
  const auto found = table().find(name);
  if (found == table().end()) {
    throw Failure("TemplateRuntimeError", fmt::format("No test named '{}' found.", name));
  }
  Values given = arguments.positional;
  for (const auto& [parameter, argument] : arguments.named) given.push_back(argument);
  if (given.size() != found->second.arguments) {
    throw type_error("the test '{}' takes {} argument(s), found {}", name, found->second.arguments,
                     given.size());
  }
  return found->second.test(interpreter, value, given);
}

}  // namespace alambic::jinja
