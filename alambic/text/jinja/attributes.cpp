#include "alambic/text/jinja/attributes.h"

#include <algorithm>
#include <charconv>

#include "alambic/text/jinja/methods.h"
#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/sequence.h"
#include "alambic/text/jinja/whole.h"

namespace alambic::jinja {
namespace {

using Name = std::string_view;

// Attributes of every Python object, which the sandbox hides.
constexpr Name hidden[] = {"__class__",  "__delattr__",   "__dir__",         "__doc__",
                           "__eq__",     "__format__",    "__ge__",          "__getattribute__",
                           "__gt__",     "__hash__",      "__init__",        "__init_subclass__",
                           "__le__",     "__lt__",        "__ne__",          "__new__",
                           "__reduce__", "__reduce_ex__", "__repr__",        "__setattr__",
                           "__sizeof__", "__str__",       "__subclasshook__"};
constexpr Name hidden_of_rows[] = {"__add__",  "__contains__", "__getitem__",
                                   "__iter__", "__len__",      "__mul__",
                                   "__rmul__", "__mod__",      "__getnewargs__"};

constexpr Name changing_lists[] = {"append", "clear",  "extend",  "insert",
                                   "pop",    "remove", "reverse", "sort"};
constexpr Name changing_dicts[] = {"clear", "pop", "popitem", "setdefault", "update"};

template <class Row>
bool has(const Row& names, Name name) {
  return std::ranges::find(names, name) != std::end(names);
}

bool is_hidden(const Value& object, const std::string& name) {
  if (object.is_undefined() || !name.starts_with('_')) return false;
  return has(hidden, name) || (has(hidden_of_rows, name) && length_of(object).has_value());
}

bool changes(const Value& object, const std::string& name) {
  if (object.dict() != nullptr) return has(changing_dicts, name);
  const List* list = object.list();
  return list != nullptr && list->kind == List::Kind::list && has(changing_lists, name);
}

// Name of the object in errors about missing attributes.
std::string object_name(const Value& object) {
  if (object.is_none()) return "None";
  const std::string_view type = type_name(object);
  const std::string_view module = type == "TemplateNamespace"
                                      ? "transformers.utils.chat_template_utils."
                                  : type == "LoopContext" || type == "Macro" ? "jinja2.runtime."
                                  : type == "Cycler" || type == "Joiner"     ? "jinja2.utils."
                                                                             : "";
  return fmt::format("{}{} object", module, type);
}

Value missing(Interpreter& interpreter, const Value& object, const Value& key) {
  if (key.is_string()) {
    const std::string owner = object_name(object);
    return undefined(fmt::format("{} has no attribute {}", repr(interpreter, Value(owner)),
                                 repr(interpreter, key)));
  }
  return undefined(fmt::format("{} has no element {}", object_name(object),
                               is_printable_value(key) ? repr(interpreter, key) : "of this kind"));
}

// The attribute as Python finds it, then as the sandbox lets it through.
std::optional<Value> python_attribute(Interpreter& interpreter, const Value& object,
                                      const std::string& name) {
  if (is_hidden(object, name) || changes(object, name)) {
    return Value(std::make_shared<Undefined>(
        fmt::format("access to attribute '{}' of '{}' object is unsafe.", name, type_name(object)),
        "SecurityError"));
  }
  if (object.object() != nullptr) return object.object()->attribute(interpreter, name);
  const List* list = object.list();
  if (list != nullptr && list->kind == List::Kind::group) {
    if (name == "grouper") return list->items[0];
    if (name == "list") return list->items[1];
  }
  return find_method(object, name);
}

std::optional<Value> subscript(const Value& object, const Value& key) {
  if (const Dict* dict = object.dict()) {
    const bool hashable =
        key.dict() == nullptr && (key.list() == nullptr || key.list()->is_tuple());
    const Value* found = hashable ? dict->find(key) : nullptr;
    return found == nullptr ? std::nullopt : std::optional(*found);
  }
  return key.is_whole() ? item_at(object, key.whole()) : std::nullopt;
}

}  // namespace

Value get_attribute(Interpreter& interpreter, const Value& object, const std::string& name) {
  if (const auto* nothing = object.as<Undefined>()) nothing->fail();
  if (auto value = python_attribute(interpreter, object, name)) return *value;
  const Value key(name);
  if (auto value = subscript(object, key)) return *value;
  return missing(interpreter, object, key);
}

Value get_item(Interpreter& interpreter, const Value& object, const Value& key) {
  if (const auto* nothing = object.as<Undefined>()) nothing->fail();
  interpreter.budget.spend(weight_of(key) + (object.is_string() ? weight_of(object) : 0));
  if (auto value = subscript(object, key)) return *value;
  if (key.is_string()) {
    if (auto value = python_attribute(interpreter, object, *key.string())) return *value;
  }
  return missing(interpreter, object, key);
}

Value follow_path(Interpreter& interpreter, Value value, const Value& path,
                  const Value* otherwise) {
  if (path.is_none()) return value;
  Values parts;
  if (const std::string* text = path.string()) {
    for (size_t start = 0; start <= text->size();) {
      const size_t end = std::min(text->find('.', start), text->size());
      const std::string part = text->substr(start, end - start);
      int64_t number = 0;
      const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), number);
      const bool digits = stop == part.data() + part.size() && part[0] != '-';
      if (digits && error == std::errc::result_out_of_range) throw too_long_number();
      const bool is_number = digits && error == std::errc();
      parts.push_back(is_number ? Value(number) : Value(part));
      start = end + 1;
    }
  } else {
    parts.push_back(path);
  }
  for (const Value& part : parts) {
    interpreter.budget.spend(1);
    value = get_item(interpreter, value, part);
    if (otherwise != nullptr && value.is_undefined()) value = *otherwise;
  }
  return value;
}

}  // namespace alambic::jinja
