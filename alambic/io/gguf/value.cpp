#include "alambic/io/gguf/value.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"

namespace alambic {

namespace {

constexpr const char* kinds[] = {
    "an unsigned 8-bit integer",
    "an 8-bit integer",
    "an unsigned 16-bit integer",
    "a 16-bit integer",
    "an unsigned 32-bit integer",
    "a 32-bit integer",
    "a 32-bit floating number",
    "true or false",
    "a string",
    "a list",
    "an unsigned 64-bit integer",
    "a 64-bit integer",
    "a 64-bit floating number",
};
static_assert(std::size(kinds) == std::variant_size_v<GgufValue>);

template <class T>
std::optional<int64_t> as_integer(const T& value) {
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    if (std::in_range<int64_t>(value)) return static_cast<int64_t>(value);
  } else if constexpr (std::is_same_v<T, GgufArray>) {
    return std::visit(
        [](const auto& list) -> std::optional<int64_t> {
          if constexpr (!std::is_same_v<std::decay_t<decltype(list)>, std::monostate>) {
            if (list.empty() ||
                std::ranges::any_of(list, [&](const auto& item) { return item != list.front(); })) {
              return std::nullopt;
            }
            using Item = typename std::decay_t<decltype(list)>::value_type;
            if constexpr (!std::is_same_v<Item, std::string>) {
              return as_integer<Item>(list.front());
            }
          }
          return std::nullopt;
        },
        value);
  }
  return std::nullopt;
}

template <class T>
std::optional<double> as_number(const T& value) {
  if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
    return static_cast<double>(value);
  }
  return std::nullopt;
}

}  // namespace

double shortest(double stored) { return std::stod(fmt::format("{}", static_cast<float>(stored))); }

std::string kind_of(const GgufValue& value) {
  const auto* list = std::get_if<GgufArray>(&value);
  if (list == nullptr) return kinds[value.index()];
  const size_t count = std::visit(
      [](const auto& items) -> size_t {
        if constexpr (std::is_same_v<std::decay_t<decltype(items)>, std::monostate>)
          return 0;
        else
          return items.size();
      },
      *list);
  return fmt::format("a list of {}, each {}", count, kinds[list->index()]);
}

bool GgufMetadata::add(std::string key, GgufValue value) {
  if (find(key) != nullptr) return false;
  items_.emplace_back(std::move(key), std::move(value));
  return true;
}

const GgufValue* GgufMetadata::find(std::string_view key) const {
  const auto found = std::ranges::find(items_, key, &std::pair<std::string, GgufValue>::first);
  return found == items_.end() ? nullptr : &found->second;
}

void GgufMetadata::wrong(std::string_view key, std::string_view expected) const {
  throw input_error("cannot read {}: metadata {} should be {}, found {}", where_, printable(key),
                    expected, kind_of(*find(key)));
}

std::optional<int64_t> GgufMetadata::integer(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto result = std::visit([](const auto& v) { return as_integer(v); }, *value);
  if (!result) wrong(key, "an integer");
  return result;
}

std::optional<double> GgufMetadata::number(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto result = std::visit([](const auto& v) { return as_number(v); }, *value);
  if (!result) wrong(key, "a number");
  return result;
}

std::optional<bool> GgufMetadata::flag(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!std::holds_alternative<bool>(*value)) wrong(key, "true or false");
  return std::get<bool>(*value);
}

std::optional<std::string> GgufMetadata::text(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!std::holds_alternative<std::string>(*value)) wrong(key, "a string");
  return std::get<std::string>(*value);
}

const std::vector<std::string>* GgufMetadata::texts(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return nullptr;
  const auto* list = std::get_if<GgufArray>(value);
  const auto* texts = list == nullptr ? nullptr : std::get_if<std::vector<std::string>>(list);
  if (texts == nullptr) wrong(key, "a list of strings");
  return texts;
}

std::vector<double> GgufMetadata::numbers(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return {};
  const auto* list = std::get_if<GgufArray>(value);
  if (list == nullptr) wrong(key, "a list of numbers");
  return std::visit(
      [&](const auto& items) -> std::vector<double> {
        using Items = std::decay_t<decltype(items)>;
        if constexpr (!std::is_same_v<Items, std::monostate> &&
                      !std::is_same_v<Items, std::vector<std::string>>) {
          return {items.begin(), items.end()};
        }
        wrong(key, "a list of numbers");
      },
      *list);
}

}  // namespace alambic
