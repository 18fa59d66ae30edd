// Filters that choose and order items, by themselves or by an attribute.
#include <algorithm>

#include "alambic/text/jinja/attributes.h"
#include "alambic/text/jinja/compare.h"
#include "alambic/text/jinja/filters.h"
#include "alambic/text/jinja/generator.h"
#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/sequence.h"
#include "alambic/text/jinja/tests.h"
#include "alambic/text/jinja/unicode.h"

namespace alambic::jinja {
namespace {

Value ignore_case(const Value& value, bool case_sensitive) {
  return !case_sensitive && value.is_string() ? Value(lower(*value.string())) : value;
}

// Sorts stably; what cannot be compared is a TypeError. `keys` go with `items`.
Values sorted_by(Budget& budget, const Values& items, const Values& keys, bool reverse) {
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto before = [&](size_t a, size_t b) {
    budget.spend(std::min(weight_of(keys[a]), weight_of(keys[b])));
    return reverse ? less(keys[b], keys[a]) : less(keys[a], keys[b]);
  };
  std::ranges::stable_sort(order, before);
  Values sorted;
  for (const size_t i : order) sorted.push_back(items[i]);
  return sorted;
}

// The paths in "a.b,c", and None for an attribute that is not given.
Values paths_of(const Value& attribute) {
  if (!attribute.is_string()) return {attribute};
  Values paths;
  const std::string& text = *attribute.string();
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    paths.emplace_back(text.substr(start, end - start));
    start = end + 1;
  }
  return paths;
}

Value sort(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const Values items = items_of(interpreter.budget, value);
  Values keys;
  for (const Value& item : items) {
    Values parts;
    for (const Value& path : paths_of(bound.get(2))) {
      parts.push_back(ignore_case(follow_path(interpreter, item, path), bound.flag(1, false)));
    }
    keys.push_back(make_list(std::move(parts)));
  }
  return make_list(sorted_by(interpreter.budget, items, keys, bound.flag(0, false)));
}

Value sort_dict(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string by = bound.text(1, "key");
  if (by != "key" && by != "value") {
    throw Failure("FilterArgumentError", "You can only sort by either \"key\" or \"value\"");
  }
  if (const auto* missing = value.as<Undefined>()) missing->fail();
  if (value.dict() == nullptr) {
    throw Failure("AttributeError",
                  fmt::format("'{}' object has no attribute 'items'", type_name(value)));
  }
  Values items;
  Values keys;
  for (const auto& [key, item] : value.dict()->entries()) {
    items.push_back(make_tuple({key, item}));
    keys.push_back(ignore_case(by == "key" ? key : item, bound.flag(0, false)));
  }
  return make_list(sorted_by(interpreter.budget, items, keys, bound.flag(2, false)));
}

Value group_by(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  const Value fallback = bound.get(1);
  const Value* otherwise = fallback.is_none() ? nullptr : &fallback;
  const bool exact = bound.flag(2, false);
  const auto key_of = [&](const Value& item) {
    return ignore_case(follow_path(interpreter, item, bound.get(0), otherwise), exact);
  };
  Values items = items_of(interpreter.budget, value);
  Values keys;
  for (const Value& item : items) keys.push_back(key_of(item));
  items = sorted_by(interpreter.budget, items, keys, false);
  Values groups;
  for (size_t i = 0; i < items.size();) {
    const Value key = key_of(items[i]);
    Values members;
    const Value shown = exact ? key : follow_path(interpreter, items[i], bound.get(0), otherwise);
    while (i < items.size() && equal(interpreter.budget, key_of(items[i]), key))
      members.push_back(items[i++]);
    groups.push_back(make_list({shown, make_list(std::move(members))}, List::Kind::group));
  }
  return make_list(std::move(groups));
}

Value unique(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound("unique", arguments, {"case_sensitive", "attribute"});
  return generate(interpreter, value, [&](const Values& items, Values& out) {
    Dict seen;
    for (const Value& item : items) {
      const Value key =
          ignore_case(follow_path(interpreter, item, bound.get(1)), bound.flag(0, false));
      interpreter.budget.spend(weight_of(key));
      if (seen.find(key) != nullptr) continue;
      seen.set(key, {});
      out.push_back(item);
    }
  });
}

template <bool largest>
Value extreme(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound(largest ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  const Values items = items_of(interpreter.budget, value);
  if (items.empty()) return undefined("No aggregated item, sequence was empty.");
  size_t best = 0;
  std::optional<Value> best_key;
  for (size_t i = 0; i < items.size(); ++i) {
    const Value key =
        ignore_case(follow_path(interpreter, items[i], bound.get(1)), bound.flag(0, false));
    const bool better = !best_key || (largest ? compare(interpreter.budget, key, *best_key, ">")
                                              : compare(interpreter.budget, key, *best_key, "<"));
    if (!better) continue;
    best = i;
    best_key = key;
  }
  return items[best];
}

Arguments without_first(const Arguments& arguments, size_t count) {
  Arguments rest = arguments;
  const size_t dropped = std::min(count, rest.positional.size());
  rest.positional.erase(rest.positional.begin(),
                        rest.positional.begin() + static_cast<ptrdiff_t>(dropped));
  return rest;
}

Value map(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  return generate(interpreter, truthy(value) ? value : make_list({}),
                  [&](const Values& items, Values& out) {
                    if (!arguments.positional.empty()) {
                      const Value name = arguments.positional.front();
                      if (!name.is_string()) throw type_error("map needs the name of a filter");
                      const Arguments rest = without_first(arguments, 1);
                      for (const Value& item : items) {
                        out.push_back(apply_filter(interpreter, *name.string(), item, rest));
                      }
                      return;
                    }
                    if (arguments.named.empty()) {
                      throw Failure("FilterArgumentError", "map requires a filter argument");
                    }
                    const Bound bound("map", arguments, {"attribute", "default"}, 1);
                    const Value fallback = bound.get(1);
                    for (const Value& item : items) {
                      out.push_back(follow_path(interpreter, item, bound.get(0),
                                                fallback.is_none() ? nullptr : &fallback));
                    }
                  });
}

struct Selection {
  bool keeps;         // those that pass the test, or the others
  bool by_attribute;  // the first argument is the path to what is tested
};

void select_items(Interpreter& interpreter, const Arguments& arguments, Selection how,
                  const Values& items, Values& out) {
  if (how.by_attribute && arguments.positional.empty()) {
    throw Failure("FilterArgumentError", "Missing parameter for attribute name");
  }
  Value path;
  if (how.by_attribute) path = arguments.positional.front();
  const Arguments rest = without_first(arguments, how.by_attribute ? 1 : 0);
  const Arguments of_test = without_first(rest, 1);
  std::string test;
  if (!rest.positional.empty()) test = to_text(interpreter, rest.positional.front());
  for (const Value& item : items) {
    const Value subject = follow_path(interpreter, item, path);
    const bool holds =
        rest.positional.empty() ? truthy(subject) : run_test(interpreter, test, subject, of_test);
    if (holds == how.keeps) out.push_back(item);
  }
}

template <bool keeps, bool by_attribute>
Value select(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  return generate(interpreter, truthy(value) ? value : make_list({}),
                  [&](const Values& items, Values& out) {
                    select_items(interpreter, arguments, {keeps, by_attribute}, items, out);
                  });
}

}  // namespace

const FilterTable& selection_filters() {
  static const FilterTable table = {{"sort", sort},
                                    {"dictsort", sort_dict},
                                    {"groupby", group_by},
                                    {"unique", unique},
                                    {"min", extreme<false>},
                                    {"max", extreme<true>},
                                    {"map", map},
                                    {"select", select<true, false>},
                                    {"reject", select<false, false>},
                                    {"selectattr", select<true, true>},
                                    {"rejectattr", select<false, true>}};
  return table;
}

}  // namespace alambic::jinja
