#include "alambic/text/jinja/methods.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>

#include "alambic/text/jinja/compare.h"
#include "alambic/text/jinja/markup.h"
#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/sequence.h"

namespace alambic::jinja {
namespace {

using Table = std::unordered_map<std::string_view, Method>;

struct BoundMethod : Object {
  BoundMethod(Value owner, std::string called, Method what)
      : object(std::move(owner)), name(std::move(called)), method(what) {}
  std::string_view type_name() const override { return "builtin_function_or_method"; }
  bool callable() const override { return true; }
  int depth() const override { return depth_of(object) + 1; }
  Value call(Interpreter& interpreter, const Arguments& arguments) override {
    if (method == nullptr) {
      throw not_built("the method '{}' of '{}'", name, jinja::type_name(object));
    }
    if (!object.is_markup()) return method(interpreter, object, arguments);
    return mark_result(method(interpreter, object, escape_arguments(interpreter, name, arguments)));
  }
  Value object;
  std::string name;
  Method method;
};

Value dict_get(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Bound bound("get", arguments, {"key", "default"}, 1);
  interpreter.budget.spend(weight_of(bound.get(0)));
  const Value* found = object.dict()->find(bound.get(0));
  return found != nullptr ? *found : bound.get(1);
}

Value dict_view(Interpreter& interpreter, const Value& object, const Arguments& arguments,
                List::Kind kind) {
  const Bound none("view", arguments, {});
  interpreter.budget.spend(static_cast<int64_t>(object.dict()->size()));
  Values items;
  for (const auto& [key, value] : object.dict()->entries()) {
    items.push_back(kind == List::Kind::keys     ? key
                    : kind == List::Kind::values ? value
                                                 : make_tuple({key, value}));
  }
  return make_list(std::move(items), kind);
}

Value dict_items(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  return dict_view(interpreter, object, arguments, List::Kind::items);
}
Value dict_keys(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  return dict_view(interpreter, object, arguments, List::Kind::keys);
}
Value dict_values(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  return dict_view(interpreter, object, arguments, List::Kind::values);
}
Value copy_itself(Interpreter&, const Value& object, const Arguments&) { return object; }

Value row_count(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Bound bound("count", arguments, {"value"}, 1);
  const Values items = items_of(interpreter.budget, object);
  const Value wanted = bound.get(0);
  return static_cast<int64_t>(std::ranges::count_if(
      items, [&](const Value& item) { return equal(interpreter.budget, item, wanted); }));
}

Value row_index(Interpreter& interpreter, const Value& object, const Arguments& arguments) {
  const Bound bound("index", arguments, {"value"}, 1);
  const Values items = items_of(interpreter.budget, object);
  const Value wanted = bound.get(0);
  const auto found = std::ranges::find_if(
      items, [&](const Value& item) { return equal(interpreter.budget, item, wanted); });
  if (found != items.end()) return static_cast<int64_t>(found - items.begin());
  throw value_error("{} is not in {}", repr(interpreter, wanted),
                    object.list()->is_tuple() ? "tuple" : "list");
}

Value is_integer(Interpreter&, const Value& object, const Arguments&) {
  return object.is_whole() || object.number() == std::floor(object.number());
}

Value bit_length(Interpreter&, const Value& object, const Arguments&) {
  const int64_t number = object.whole();
  const auto bits = static_cast<uint64_t>(number);
  return static_cast<int64_t>(std::bit_width(number < 0 ? 0 - bits : bits));
}

const Table& methods_of(const Value& object) {
  static const Table dicts = {{"get", dict_get},     {"items", dict_items},
                              {"keys", dict_keys},   {"values", dict_values},
                              {"copy", copy_itself}, {"fromkeys", nullptr}};
  static const Table lists = {{"count", row_count}, {"index", row_index}, {"copy", copy_itself}};
  static const Table tuples = {{"count", row_count}, {"index", row_index}};
  static const Table numbers = {{"is_integer", is_integer}, {"bit_length", bit_length},
                                {"conjugate", copy_itself}, {"as_integer_ratio", nullptr},
                                {"hex", nullptr},           {"to_bytes", nullptr},
                                {"bit_count", nullptr}};
  static const Table none;
  if (object.dict() != nullptr) return dicts;
  if (object.is_number()) return numbers;
  const List* list = object.list();
  if (list == nullptr || list->is_view()) return none;
  return list->is_tuple() ? tuples : lists;
}

}  // namespace

std::optional<Value> find_method(const Value& object, const std::string& name) {
  Method method = nullptr;
  if (object.is_string()) {
    method = find_string_method(name);
    const bool unbuilt = name == "encode" || name == "translate" || name == "maketrans";
    if (method == nullptr && !unbuilt) return std::nullopt;
  } else {
    const Table& table = methods_of(object);
    const auto found = table.find(name);
    const bool float_only = name == "hex";
    const bool whole_only = name == "bit_length" || name == "to_bytes" || name == "bit_count";
    if (found == table.end() || (float_only && !object.is_float()) ||
        (whole_only && !object.is_whole())) {
      return std::nullopt;
    }
    method = found->second;
  }
  return Value(std::make_shared<BoundMethod>(object, name, method));
}

}  // namespace alambic::jinja
