#include "alambic/text/jinja/value.h"

#include <algorithm>

#include "alambic/text/jinja/compare.h"
#include "alambic/text/jinja/interpreter.h"
#include "alambic/text/jinja/unicode.h"
#include "alambic/text/jinja/whole.h"

namespace alambic::jinja {
namespace {

// Walking, comparing and destroying values recurse as deep as they nest.
void check_size(int depth, int64_t weight) {
  constexpr int deepest = 150;
  constexpr int64_t heaviest = 10'000'000;
  if (depth > deepest) {
    throw Failure("RecursionError", fmt::format("values nest deeper than {}", deepest));
  }
  if (weight > heaviest) {
    throw Failure("limit", fmt::format("a value holds more than {} values", heaviest));
  }
}

}  // namespace

bool Value::is_undefined() const { return as<Undefined>() != nullptr; }

size_t Dict::position(const Value& key, size_t hash) const {
  const auto [begin, end] = index_.equal_range(hash);
  const auto found = std::find_if(
      begin, end, [&](const auto& entry) { return equal(entries_[entry.second].first, key); });
  return found == end ? entries_.size() : found->second;
}

void Dict::set(const Value& key, Value value) {
  const size_t hash = hash_of(key);
  const size_t at = position(key, hash);
  depth_ = std::max({depth_, depth_of(value) + 1, depth_of(key) + 1});
  weight_ += weight_of(value) + weight_of(key) -
             (at < entries_.size() ? weight_of(key) + weight_of(entries_[at].second) : 0);
  check_size(depth_, weight_);
  if (at < entries_.size()) {
    entries_[at].second = std::move(value);
    return;
  }
  index_.emplace(hash, entries_.size());
  entries_.emplace_back(key, std::move(value));
}

const Value* Dict::find(const Value& key) const {
  const size_t at = position(key, hash_of(key));
  return at < entries_.size() ? &entries_[at].second : nullptr;
}

Value Object::call(Interpreter&, const Arguments&) {
  throw type_error("'{}' object is not callable", type_name());
}

std::string Object::repr(Interpreter&) const {
  throw not_built("printing a '{}' object, which would print an address", type_name());
}

Range::Range(int64_t first, int64_t end, int64_t by) : start(first), stop(end), step(by) {
  const Wide low = by > 0 ? start : stop;
  const Wide high = by > 0 ? stop : start;
  const Wide size = high <= low ? 0 : (high - low - 1) / (by > 0 ? step : -step) + 1;
  size_ = static_cast<int64_t>(std::min<Wide>(size, INT64_MAX));
}

std::string Range::repr(Interpreter&) const {
  return step == 1 ? fmt::format("range({}, {})", start, stop)
                   : fmt::format("range({}, {}, {})", start, stop, step);
}

std::optional<Value> Range::attribute(Interpreter&, const std::string& name) {
  if (name != "start" && name != "stop" && name != "step") return std::nullopt;
  const Wide number = name == "start" ? start : name == "stop" ? stop : step;
  if (number < INT64_MIN || number > INT64_MAX) throw too_long_number();
  return Value(static_cast<int64_t>(number));
}

Value undefined(std::string message) { return std::make_shared<Undefined>(std::move(message)); }

Value make_list(Values items, List::Kind kind) {
  auto list = std::make_shared<List>();
  for (const Value& item : items) {
    list->depth = std::max(list->depth, depth_of(item) + 1);
    list->weight += weight_of(item);
  }
  check_size(list->depth, list->weight);
  list->items = std::move(items);
  list->kind = kind;
  return std::shared_ptr<const List>(std::move(list));
}

Value make_tuple(Values items) { return make_list(std::move(items), List::Kind::tuple); }

Value make_dict(Dict dict) { return std::make_shared<const Dict>(std::move(dict)); }

int depth_of(const Value& value) {
  if (const List* list = value.list()) return list->depth;
  if (const Dict* dict = value.dict()) return dict->depth();
  if (const Object* object = value.object()) return object->depth();
  return 0;
}

int64_t weight_of(const Value& value) {
  if (const std::string* text = value.string()) return 1 + static_cast<int64_t>(text->size() / 256);
  if (const List* list = value.list()) return list->weight;
  if (const Dict* dict = value.dict()) return dict->weight();
  return 1;
}

std::string_view type_name(const Value& value) {
  if (value.is_none()) return "NoneType";
  if (value.is_bool()) return "bool";
  if (value.is_int()) return "int";
  if (value.is_float()) return "float";
  if (value.is_string()) return "str";
  if (value.dict() != nullptr) return "dict";
  if (const Object* object = value.object()) return object->type_name();
  constexpr std::string_view names[] = {"list",      "tuple",       "_GroupTuple",
                                        "dict_keys", "dict_values", "dict_items"};
  return names[static_cast<size_t>(value.list()->kind)];
}

std::optional<int64_t> length_of(const Value& value) {
  if (const std::string* text = value.string()) return character_count(*text);
  if (const List* list = value.list()) return static_cast<int64_t>(list->items.size());
  if (const Dict* dict = value.dict()) return static_cast<int64_t>(dict->size());
  if (const auto* range = value.as<Range>()) return range->size();
  if (auto* loop = value.as<Loop>()) return loop->length();
  if (value.is_undefined()) return 0;
  return std::nullopt;
}

bool truthy(const Value& value) {
  if (value.is_none()) return false;
  if (value.is_number()) return value.is_float() ? value.number() != 0 : value.whole() != 0;
  if (const std::string* text = value.string()) return !text->empty();
  if (value.as<Loop>() != nullptr) return true;
  const auto length = length_of(value);
  return !length || *length > 0;
}

}  // namespace alambic::jinja
