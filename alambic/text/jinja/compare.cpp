#include "alambic/text/jinja/compare.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <functional>

#include "alambic/text/jinja/long_whole.h"
#include "alambic/text/jinja/sequence.h"
#include "alambic/text/jinja/whole.h"

namespace alambic::jinja {
namespace {

// The whole number that a number is, if it is one of 64 bits.
std::optional<int64_t> exactly_whole(const Value& value) {
  if (value.is_whole()) return value.whole();
  if (!value.is_float() || value.number() != std::floor(value.number())) return std::nullopt;
  return whole_of(value.number());
}

bool same(const Value& a, const Value& b) { return equal(a, b); }

bool equal_lists(const List& a, const List& b) {
  if (a.is_tuple() != b.is_tuple() || a.is_view() || b.is_view()) return false;
  return std::ranges::equal(a.items, b.items, same);
}

bool equal_dicts(const Dict& a, const Dict& b) {
  return a.size() == b.size() && std::ranges::all_of(a.entries(), [&](const Dict::Entry& entry) {
           const Value* other = b.find(entry.first);
           return other != nullptr && equal(entry.second, *other);
         });
}

[[noreturn]] void no_order(const Value& a, const Value& b, std::string_view op) {
  for (const Value* side : {&a, &b}) {
    if (const auto* missing = side->as<Undefined>()) missing->fail();
  }
  throw type_error("'{}' not supported between instances of '{}' and '{}'", op, type_name(a),
                   type_name(b));
}

}  // namespace

bool equal(const Value& a, const Value& b) {
  if (is_numeric(a) && is_numeric(b)) return std::is_eq(order_numbers(a, b));
  if (a.is_string() && b.is_string()) return *a.string() == *b.string();
  if (a.list() != nullptr && b.list() != nullptr) {
    return a.same_as(b) || equal_lists(*a.list(), *b.list());
  }
  if (a.dict() != nullptr && b.dict() != nullptr) {
    return a.same_as(b) || equal_dicts(*a.dict(), *b.dict());
  }
  if (a.is_undefined() && b.is_undefined()) return true;
  if (const auto* range = a.as<Range>(); range != nullptr && b.as<Range>() != nullptr) {
    const auto* other = b.as<Range>();
    const int64_t size = range->size();
    return size == other->size() && (size == 0 || (range->start == other->start &&
                                                   (size == 1 || range->step == other->step)));
  }
  return a.same_as(b);
}

bool less(const Value& a, const Value& b, std::string_view op) {
  if (is_numeric(a) && is_numeric(b)) return std::is_lt(order_numbers(a, b));
  if (a.is_string() && b.is_string()) return *a.string() < *b.string();  // as code points
  const List* x = a.list();
  const List* y = b.list();
  if (x == nullptr || y == nullptr || x->is_tuple() != y->is_tuple() || x->is_view() ||
      y->is_view()) {
    no_order(a, b, op);
  }
  const auto [i, j] = std::ranges::mismatch(x->items, y->items, same);
  if (i == x->items.end() || j == y->items.end()) return x->items.size() < y->items.size();
  return less(*i, *j, op);
}

bool equal(Budget& budget, const Value& a, const Value& b) {
  budget.spend(std::min(weight_of(a), weight_of(b)));
  return equal(a, b);
}

bool compare(Budget& budget, const Value& a, const Value& b, std::string_view op) {
  budget.spend(std::min(weight_of(a), weight_of(b)));
  if (op == "==") return equal(a, b);
  if (op == "!=") return !equal(a, b);
  if (is_numeric(a) && is_numeric(b) && order_numbers(a, b) == std::partial_ordering::unordered) {
    return false;
  }
  if (op == "<") return less(a, b, op);
  if (op == ">" || op == ">=") {
    // The operands change sides in `less`; in an error they must not.
    const bool ordered = (is_numeric(a) && is_numeric(b)) || (a.is_string() && b.is_string()) ||
                         (a.list() != nullptr && b.list() != nullptr);
    if (!ordered) no_order(a, b, op);
    return op == ">" ? less(b, a, op) : !less(a, b, op);
  }
  if (a.list() == nullptr && !(is_numeric(a) && is_numeric(b)) &&
      !(a.is_string() && b.is_string())) {
    no_order(a, b, op);
  }
  return !less(b, a, op);
}

bool contains(Budget& budget, const Value& container, const Value& item) {
  if (const std::string* text = container.string()) {
    if (!item.is_string()) {
      throw type_error("'in <string>' requires string as left operand, not {}", type_name(item));
    }
    budget.spend(static_cast<int64_t>(text->size() / 64));
    return text->find(*item.string()) != text->npos;
  }
  budget.spend(weight_of(item));
  if (const Dict* dict = container.dict()) return dict->find(item) != nullptr;
  if (const auto* range = container.as<Range>()) {
    const auto number = exactly_whole(item);
    if (!number || range->size() == 0) return false;
    const Range::Wide offset = *number - range->start;
    return offset % range->step == 0 && offset / range->step >= 0 &&
           offset / range->step < range->size();
  }
  if (!is_iterable(container)) {
    throw type_error("argument of type '{}' is not iterable", type_name(container));
  }
  const Values items = items_of(budget, container);
  return std::ranges::any_of(items, [&](const Value& one) { return equal(budget, one, item); });
}

size_t hash_of(const Value& value) {
  if (value.is_none()) return 1;
  if (const auto whole = exactly_whole(value)) return std::hash<int64_t>{}(*whole);
  if (value.is_float()) return std::hash<double>{}(value.number());
  if (const std::string* text = value.string()) return std::hash<std::string>{}(*text);
  if (value.is_undefined()) return 2;
  // As an equal float's.
  if (const auto* number = value.as<LongWhole>()) {
    return std::hash<double>{}(std::strtod(number->digits.c_str(), nullptr));
  }
  if (const Object* object = value.object()) return std::hash<const void*>{}(object);
  if (value.list() == nullptr || !value.list()->is_tuple()) {
    throw type_error("unhashable type: '{}'", type_name(value));
  }
  size_t hash = 3;
  for (const Value& item : value.list()->items) hash = hash * 1000003 ^ hash_of(item);
  return hash;
}

}  // namespace alambic::jinja
