// Filters on rows of values, item by item.
#include <algorithm>

#include "alambic/text/jinja/attributes.h"
#include "alambic/text/jinja/filters.h"
#include "alambic/text/jinja/generator.h"
#include "alambic/text/jinja/operators.h"
#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/sequence.h"

namespace alambic::jinja {
namespace {

Value batch(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound("batch", arguments, {"linecount", "fill_with"}, 1);
  return generate(interpreter, value, [&](const Values& items, Values& out) {
    const int64_t size = bound.whole(0);
    Values row;
    for (const Value& item : items) {
      if (static_cast<int64_t>(row.size()) == size)
        out.push_back(make_list(std::exchange(row, {})));
      row.push_back(item);
    }
    if (row.empty()) return;
    const auto filled = static_cast<int64_t>(row.size());
    if (!bound.get(1).is_none() && filled < size) {
      const int64_t missing = size - filled;
      interpreter.budget.spend(missing);
      row.insert(row.end(), static_cast<size_t>(missing), bound.get(1));
    }
    out.push_back(make_list(std::move(row)));
  });
}

Value in_slices(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound("slice", arguments, {"slices", "fill_with"}, 1);
  return generate(interpreter, value, [&](const Values& items, Values& out) {
    const int64_t slices = bound.whole(0);
    if (slices == 0) {
      throw Failure("ZeroDivisionError", "integer division or modulo by zero");
    }
    if (slices < 0) return;
    interpreter.budget.spend(slices);
    const auto size = static_cast<int64_t>(items.size());
    int64_t at = 0;
    for (int64_t i = 0; i < slices; ++i) {
      const bool longer = i < size % slices;
      const int64_t end = at + size / slices + (longer ? 1 : 0);
      Values row(items.begin() + at, items.begin() + end);
      if (!bound.get(1).is_none() && !longer) row.push_back(bound.get(1));
      out.push_back(make_list(std::move(row)));
      at = end;
    }
  });
}

Value first(Interpreter& interpreter, const Value& value, const Arguments&) {
  if (auto* generator = value.as<Generator>()) {
    if (generator->next < generator->items.size()) return generator->items[generator->next++];
  }
  const Values items = items_of(interpreter.budget, value);
  return items.empty() ? undefined("No first item, sequence was empty.") : items.front();
}

Value last(Interpreter& interpreter, const Value& value, const Arguments&) {
  if (value.as<Generator>() != nullptr) {
    throw type_error("'{}' object is not reversible", type_name(value));
  }
  const Values items = items_of(interpreter.budget, value);
  return items.empty() ? undefined("No last item, sequence was empty.") : items.back();
}

Value listed_items(Interpreter& interpreter, const Value& value, const Arguments&) {
  Values pairs;
  auto generator = std::make_shared<Generator>();
  if (value.dict() != nullptr) {
    interpreter.budget.spend(static_cast<int64_t>(value.dict()->size()));
    for (const auto& [key, item] : value.dict()->entries()) {
      generator->items.push_back(make_tuple({key, item}));
      generator->nesting = std::max(generator->nesting, depth_of(generator->items.back()) + 1);
    }
  } else if (!value.is_undefined()) {
    generator->error = type_error("Can only get item pairs from a mapping.");
  }
  return generator;
}

Value join(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound("join", arguments, {"d", "attribute"});
  const std::string between = bound.find(0) != nullptr ? to_text(interpreter, bound.get(0)) : "";
  std::string text;
  bool is_first = true;
  for (const Value& item : items_of(interpreter.budget, value)) {
    if (!is_first) text += between;
    is_first = false;
    text += to_text(interpreter, follow_path(interpreter, item, bound.get(1)));
    interpreter.budget.check_single(static_cast<int64_t>(text.size()));
  }
  interpreter.budget.text(static_cast<int64_t>(text.size()));
  return Value(std::move(text));
}

Value length(Interpreter& interpreter, const Value& value, const Arguments&) {
  if (value.is_string())
    interpreter.budget.spend(static_cast<int64_t>(value.string()->size() / 64));
  const auto size = length_of(value);
  if (!size) throw type_error("object of type '{}' has no len()", type_name(value));
  return *size;
}

Value to_list(Interpreter& interpreter, const Value& value, const Arguments&) {
  return make_list(items_of(interpreter.budget, value));
}

Value reversed(Interpreter& interpreter, const Value& value, const Arguments&) {
  if (value.is_string()) return slice(interpreter.budget, value, {}, {}, int64_t{-1});
  const bool lazy = value.as<Generator>() == nullptr;
  Values items = items_of(interpreter.budget, value);
  std::ranges::reverse(items);
  if (!lazy) return make_list(std::move(items));
  auto generator = std::make_shared<Generator>();
  generator->name = value.list() != nullptr ? "list_reverseiterator" : "reversed";
  generator->nesting = depth_of(value) + 1;
  generator->items = std::move(items);
  return generator;
}

Value sum(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound("sum", arguments, {"attribute", "start"});
  Value total = bound.get(1, int64_t{0});
  if (total.is_string()) throw type_error("sum() can't sum strings [use ''.join(seq) instead]");
  for (const Value& item : items_of(interpreter.budget, value)) {
    total = binary(interpreter, "+", total, follow_path(interpreter, item, bound.get(0)));
  }
  return total;
}

}  // namespace

const FilterTable& sequence_filters() {
  static const FilterTable table = {
      {"batch", batch},        {"slice", in_slices},  {"first", first},  {"last", last},
      {"items", listed_items}, {"join", join},        {"count", length}, {"length", length},
      {"list", to_list},       {"reverse", reversed}, {"sum", sum}};
  return table;
}

}  // namespace alambic::jinja
