#include "alambic/base/json_view.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <tuple>

#include "alambic/base/names.h"
#include "alambic/base/wide_number.h"

namespace alambic {
namespace {

std::string excerpt(const std::string& text) {
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

bool is_too_deep(std::string_view bytes) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < bytes.size() && depth <= JsonFile::max_depth; ++i) {
    const char c = bytes[i];
    if (c == '"') in_string = !in_string;
    if (in_string && c == '\\') ++i;
    if (in_string) continue;
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && depth > 0) --depth;
  }
  return depth > JsonFile::max_depth;
}

// " at line 3, column 5", of a text of one line " at column 5". simdjson does not say where;
// nlohmann does. Only on the way to an error; "": unknown.
std::string place_of_error(std::string_view bytes) {
  if (bytes.size() >= (size_t{64} << 20)) return "";
  size_t at = 0;  // counted from 1
  try {
    std::ignore = nlohmann::json::parse(bytes.begin(), bytes.end());
  } catch (const nlohmann::json::parse_error& error) {
    at = error.byte;
  } catch (const nlohmann::json::exception&) {
    return ": a number of it is too large";
  }
  if (at == 0) return "";
  const std::string_view before = bytes.substr(0, at - 1);
  const auto lines = std::ranges::count(before, '\n');
  const size_t column = before.size() - (lines == 0 ? 0 : before.rfind('\n') + 1) + 1;
  const std::string end = at > bytes.size() ? ", its end" : "";
  if (lines == 0) return fmt::format(" at column {}{}", column, end);
  return fmt::format(" at line {}, column {}{}", lines + 1, column, end);
}

}  // namespace

JsonFile JsonFile::parse(std::string name, std::string_view bytes) {
  JsonFile file;
  file.name_ = std::make_unique<std::string>(std::move(name));
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  file.parser_ = std::make_unique<simdjson::dom::parser>();
  auto code = file.parser_->allocate(std::max<size_t>(bytes.size(), 64), max_depth);
  if (!code) code = file.parser_->parse(simdjson::padded_string(bytes)).get(file.root_);
  if (code == simdjson::NUMBER_ERROR) {
    code = file.parser_->parse(simdjson::padded_string(with_marked_numbers(bytes))).get(file.root_);
  }
  if (code && is_too_deep(bytes)) {
    throw input_error("{}: objects or lists are nested more than {} deep", *file.name_, max_depth);
  }
  if (code) {
    throw input_error("{} is not valid JSON{}", *file.name_, place_of_error(bytes));
  }
  return file;
}

std::optional<JsonView> JsonView::find(std::string_view name) const {
  if (!element_.is_object()) throw wrong("expected an object");
  std::optional<simdjson::dom::element> child;
  for (const auto field : object()) {
    if (field.key == name) child = field.value;
  }
  if (!child || child->is_null()) return std::nullopt;
  return JsonView(*file_, path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name),
                  *child);
}

JsonView JsonView::at(std::string_view name) const {
  auto child = find(name);
  if (!child) throw wrong(fmt::format("no field \"{}\"", name));
  return *child;
}

std::vector<JsonView> JsonView::items() const {
  std::vector<JsonView> items;
  for (const simdjson::dom::element item : array()) {
    items.emplace_back(*file_, fmt::format("{}[{}]", path_, items.size()), item);
  }
  return items;
}

std::string_view JsonView::string() const {
  std::string_view value;
  if (element_.get(value) || wide_number(element_)) throw wrong("expected a string");
  return value;
}

bool JsonView::boolean() const {
  bool value = false;
  if (element_.get(value)) throw wrong("expected true or false");
  return value;
}

int64_t JsonView::integer(int64_t low, int64_t high) const {
  int64_t value = 0;
  if (element_.get(value) || value < low || value > high) {
    throw wrong(fmt::format("expected a whole number from {} to {}", low, high));
  }
  return value;
}

double JsonView::number() const {
  double value = 0;
  if (const auto text = wide_number(element_))
    return std::strtod(std::string(*text).c_str(), nullptr);
  if (element_.get(value)) throw wrong("expected a number");
  return value;
}

std::string JsonView::string_or(std::string_view name, std::string_view otherwise) const {
  const auto child = find(name);
  return std::string(child ? child->string() : otherwise);
}

bool JsonView::boolean_or(std::string_view name, bool otherwise) const {
  const auto child = find(name);
  return child ? child->boolean() : otherwise;
}

simdjson::dom::object JsonView::object() const {
  simdjson::dom::object value;
  if (element_.get(value)) throw wrong("expected an object");
  return value;
}

simdjson::dom::array JsonView::array() const {
  simdjson::dom::array value;
  if (element_.get(value)) throw wrong("expected a list");
  return value;
}

Error JsonView::wrong(std::string_view reason) const {
  const std::string field = path_.empty() ? "" : fmt::format(" field \"{}\":", path_);
  return input_error("{}:{} {}, found {}", *file_, field, reason,
                     excerpt(without_marks(simdjson::minify(element_))));
}

Error JsonView::wrong(std::string_view key, std::string_view reason) const {
  return input_error("{}: field \"{}\", entry {}: {}", *file_, path_, excerpt(std::string(key)),
                     reason);
}

Error JsonView::unknown(const std::vector<std::string>& known) const {
  const std::string value(string());
  const std::string nearest = nearest_name(value, known);
  return input_error("{}: field \"{}\": \"{}\" is not built; known: {}", *file_, path_,
                     excerpt(value), join(known))
      .with_hint(nearest.empty() ? "" : fmt::format("did you mean \"{}\"?", nearest));
}

}  // namespace alambic
