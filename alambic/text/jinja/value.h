// Python's values, as far as a template can see them. Lists and dicts never change once made (the
// sandbox of the reference forbids it), so a value cannot contain itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "alambic/text/jinja/failure.h"

namespace alambic::jinja {

struct List;
class Dict;
struct Object;

/// `markup` is Jinja's Markup: safe HTML, which escapes what is joined to it.
struct Text {
  std::string bytes;
  bool markup = false;
};

class Value {
 public:
  Value() = default;  ///< None
  Value(bool value) : is_(value) {}
  Value(int64_t value) : is_(value) {}
  Value(double value) : is_(value) {}
  Value(std::string text) : is_(std::make_shared<const Text>(Text{std::move(text)})) {}
  Value(std::string_view text) : Value(std::string(text)) {}
  Value(const char* text) : Value(std::string(text)) {}
  Value(std::shared_ptr<const List> list) : is_(std::move(list)) {}
  Value(std::shared_ptr<const Dict> dict) : is_(std::move(dict)) {}
  Value(std::shared_ptr<Object> object) : is_(std::move(object)) {}
  template <class T, class = std::enable_if_t<std::is_base_of_v<Object, T>>>
  Value(std::shared_ptr<T> object) : is_(std::shared_ptr<Object>(std::move(object))) {}

  static Value markup(std::string html) {
    Value value;
    value.is_ = std::make_shared<const Text>(Text{std::move(html), true});
    return value;
  }

  bool is_none() const { return std::holds_alternative<std::monostate>(is_); }
  bool is_undefined() const;
  bool is_bool() const { return std::holds_alternative<bool>(is_); }
  bool is_int() const { return std::holds_alternative<int64_t>(is_); }
  bool is_float() const { return std::holds_alternative<double>(is_); }
  /// int or bool, as Python's isinstance(value, int)
  bool is_whole() const { return is_int() || is_bool(); }
  bool is_number() const { return is_whole() || is_float(); }
  bool is_string() const { return get<const Text>() != nullptr; }
  bool is_markup() const { return is_string() && get<const Text>()->markup; }

  int64_t whole() const {
    return is_bool() ? (std::get<bool>(is_) ? 1 : 0) : std::get<int64_t>(is_);
  }
  double number() const {
    return is_float() ? std::get<double>(is_) : static_cast<double>(whole());
  }
  // Null when the value is something else.
  const std::string* string() const { return is_string() ? &get<const Text>()->bytes : nullptr; }
  const List* list() const { return get<const List>(); }
  const Dict* dict() const { return get<const Dict>(); }
  Object* object() const { return get<Object>(); }
  template <class T>
  T* as() const {
    return dynamic_cast<T*>(object());
  }
  std::shared_ptr<Object> shared_object() const { return std::get<std::shared_ptr<Object>>(is_); }

  /// Whether both are the same thing in memory, or equal constants (Python's `is`).
  bool same_as(const Value& other) const { return is_ == other.is_; }

 private:
  template <class T>
  T* get() const {
    const auto* pointer = std::get_if<std::shared_ptr<T>>(&is_);
    return pointer == nullptr ? nullptr : pointer->get();
  }
  std::variant<std::monostate, bool, int64_t, double, std::shared_ptr<const Text>,
               std::shared_ptr<const List>, std::shared_ptr<const Dict>, std::shared_ptr<Object>>
      is_;
};

using Values = std::vector<Value>;
using Named = std::vector<std::pair<std::string, Value>>;

/// Everything of Python's that is a row of values.
struct List {
  enum class Kind : uint8_t { list, tuple, group, keys, values, items };
  Values items;
  Kind kind = Kind::list;
  int depth = 1;
  int64_t weight = 1;
  bool is_tuple() const { return kind == Kind::tuple || kind == Kind::group; }
  bool is_view() const { return kind >= Kind::keys; }
};

/// A dictionary in order of insertion, as Python's.
class Dict {
 public:
  using Entry = std::pair<Value, Value>;
  /// TypeError when the key is a list or a dict.
  void set(const Value& key, Value value);
  /// Null when absent.
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const { return find(Value(key)); }
  const Value* find(const char* key) const { return find(Value(key)); }
  const Value* find(const std::string& key) const { return find(Value(key)); }
  const std::vector<Entry>& entries() const { return entries_; }
  size_t size() const { return entries_.size(); }
  int depth() const { return depth_; }
  int64_t weight() const { return weight_; }

 private:
  size_t position(const Value& key, size_t hash) const;
  std::vector<Entry> entries_;
  std::unordered_multimap<size_t, size_t> index_;  // hash -> position
  int depth_ = 1;
  int64_t weight_ = 1;
};

class Interpreter;
struct Arguments;

/// Anything else: it has a type's name, perhaps attributes, perhaps it can be called.
struct Object {
  virtual ~Object() = default;
  virtual std::string_view type_name() const = 0;
  virtual std::optional<Value> attribute(Interpreter&, const std::string& /*name*/) { return {}; }
  virtual bool callable() const { return false; }
  virtual Value call(Interpreter& interpreter, const Arguments& arguments);
  /// Text of its repr(); refused where Python would print an address.
  virtual std::string repr(Interpreter& interpreter) const;
  virtual int depth() const { return 1; }
};

/// A name, attribute or item that is not there. It prints as nothing; using it fails with
/// `message`.
struct Undefined : Object {
  explicit Undefined(std::string text, std::string error = "UndefinedError")
      : message(std::move(text)), kind(std::move(error)) {}
  std::string_view type_name() const override { return "Undefined"; }
  std::string repr(Interpreter&) const override { return "Undefined"; }
  [[noreturn]] void fail() const { throw Failure(kind, message); }
  std::string message;
  std::string kind;
};

/// Its items have 64 bits each; where a part of a range ends and how far it steps may take more.
struct Range : Object {
  using Wide = __int128;
  Range(int64_t first, int64_t end, int64_t by);
  Range(Wide first, Wide end, Wide by, int64_t count)
      : start(first), stop(end), step(by), size_(count) {}
  std::string_view type_name() const override { return "range"; }
  std::string repr(Interpreter&) const override;
  std::optional<Value> attribute(Interpreter&, const std::string& name) override;
  int64_t size() const { return size_; }
  Value at(int64_t i) const { return static_cast<int64_t>(start + i * step); }
  Wide start, stop, step;

 private:
  int64_t size_;
};

/// Result of map, select and the like: it can be walked through once. The items are computed at
/// once; an error among them is kept until the walk comes to it, as a lazy sequence would.
struct Generator : Object {
  std::string_view type_name() const override { return name; }
  int depth() const override { return nesting; }
  std::string name = "generator";
  Values items;
  size_t next = 0;
  std::optional<Failure> error;
  int nesting = 1;
};

Value undefined(std::string message);
Value make_list(Values items, List::Kind kind = List::Kind::list);
Value make_tuple(Values items);
Value make_dict(Dict dict);
int depth_of(const Value& value);
/// Rough cost of comparing or hashing: the values inside, each as often as it is there.
int64_t weight_of(const Value& value);

/// "str", "dict", "NoneType"…
std::string_view type_name(const Value& value);
bool truthy(const Value& value);
/// Nothing when Python's len() does not apply.
std::optional<int64_t> length_of(const Value& value);

}  // namespace alambic::jinja
