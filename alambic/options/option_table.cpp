#include "alambic/options/option_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <type_traits>
#include <utility>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/options/common_options.h"

namespace alambic {
namespace {

class Collector : public OptionVisitor {
 public:
  explicit Collector(std::vector<OptionEntry>& entries) : entries_(entries) {}

  void group(const std::string& title) override { group_ = title; }
  OptionFacts& flag(const std::string& name, bool& field, const std::string& help) override {
    return add(name, &field, help);
  }
  OptionFacts& integer(const std::string& name, int64_t& field, const std::string& help,
                       Bounds bounds) override {
    return add(name, &field, help, bounds);
  }
  OptionFacts& number(const std::string& name, double& field, const std::string& help,
                      Bounds bounds) override {
    return add(name, &field, help, bounds);
  }
  OptionFacts& text(const std::string& name, std::string& field, const std::string& help) override {
    return add(name, &field, help);
  }
  OptionFacts& list(const std::string& name, std::vector<std::string>& field,
                    const std::string& help) override {
    return add(name, &field, help);
  }
  OptionFacts& option(const std::string& name) override {
    const auto entry = std::ranges::find(entries_, name, &OptionEntry::name);
    check(entry != entries_.end(), "option '{}' is not in the table", name);
    return *entry;
  }

 protected:
  OptionFacts& add_choice(const std::string& name, ChoiceField field,
                          const std::string& help) override {
    return add(name, std::move(field), help);
  }

 private:
  OptionFacts& add(const std::string& name, OptionEntry::Field field, const std::string& help,
                   Bounds bounds = {}) {
    OptionEntry entry;
    entry.name = name;
    entry.group = group_;
    entry.help = help;
    entry.field = std::move(field);
    entry.bounds = bounds;
    entry.initial = entry.toml();
    entries_.push_back(std::move(entry));
    return entries_.back();
  }

  std::string group_;
  std::vector<OptionEntry>& entries_;
};

template <class Number>
bool parse_number(const std::string& word, Number& value) {
  const char* begin = word.data() + (word.starts_with('+') ? 1 : 0);
  const char* end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(begin, end, value);
  return error == std::errc() && rest == end && begin != end;
}

}  // namespace

const std::vector<std::string>& OptionEntry::choices() const {
  static const std::vector<std::string> none;
  const auto choice = std::get_if<ChoiceField>(&field);
  return choice != nullptr ? choice->names() : none;
}

bool OptionEntry::is_nothing() const {
  if (const auto flag = std::get_if<bool*>(&field)) return !**flag;
  if (const auto integer = std::get_if<int64_t*>(&field)) return **integer == 0;
  if (const auto number = std::get_if<double*>(&field)) return **number == 0;
  if (const auto text = std::get_if<std::string*>(&field)) return (*text)->empty();
  if (is_list()) return std::get<std::vector<std::string>*>(field)->empty();
  return false;
}

std::string OptionEntry::placeholder() const {
  if (is_flag()) return "";
  if (std::holds_alternative<int64_t*>(field)) return "N";
  if (std::holds_alternative<double*>(field)) return "X";
  if (!choices().empty()) return join(choices(), "|");
  return "TEXT";
}

std::string OptionEntry::limits() const {
  if (!choices().empty()) return join(choices(), "|");
  const bool below = std::isfinite(bounds.min), above = std::isfinite(bounds.max);
  if (below && above) return fmt::format("{} to {}", bounds.min, bounds.max);
  if (below) return fmt::format("at least {}", bounds.min);
  if (above) return fmt::format("at most {}", bounds.max);
  return "";
}

std::string OptionEntry::text() const {
  if (const auto flag = std::get_if<bool*>(&field)) return **flag ? "true" : "false";
  if (const auto integer = std::get_if<int64_t*>(&field)) return fmt::format("{}", **integer);
  if (const auto number = std::get_if<double*>(&field)) return fmt::format("{}", **number);
  if (const auto text = std::get_if<std::string*>(&field)) return **text;
  if (const auto choice = std::get_if<ChoiceField>(&field)) return choice->name();
  std::vector<std::string> quoted;
  for (const std::string& item : *std::get<std::vector<std::string>*>(field)) {
    quoted.push_back(toml_string(item));
  }
  return "[" + join(quoted) + "]";
}

std::string OptionEntry::toml() const {
  const bool quoted =
      std::holds_alternative<std::string*>(field) || std::holds_alternative<ChoiceField>(field);
  return quoted ? toml_string(text()) : text();
}

void OptionEntry::refuse(const std::string& where, const std::string& found) const {
  const std::string range = limits();
  const std::string suffix = range.empty() ? "" : ", " + range;
  std::string expected = "text";
  if (is_flag()) expected = "true or false";
  if (is_list()) expected = "a list of texts";
  if (std::holds_alternative<int64_t*>(field)) expected = "a whole number" + suffix;
  if (std::holds_alternative<double*>(field)) expected = "a number" + suffix;
  if (!choices().empty()) expected = "one of " + join(choices());
  const Error error = input_error("{}: expected {}, found {}", where, expected, found);
  const std::string word = found.starts_with('\'') ? found.substr(1, found.size() - 2) : found;
  const std::string near = nearest_name(word, choices());
  throw near.empty() ? error : error.with_hint(fmt::format("did you mean '{}'?", near));
}

void OptionEntry::set_flag(const std::string& where, bool value) {
  if (!is_flag()) refuse(where, value ? "true" : "false");
  *std::get<bool*>(field) = value;
  given = true;
}

void OptionEntry::set_integer(const std::string& where, int64_t value) {
  if (std::holds_alternative<double*>(field)) return set_number(where, static_cast<double>(value));
  const auto number = static_cast<double>(value);
  if (!std::holds_alternative<int64_t*>(field) || number < bounds.min || number > bounds.max) {
    refuse(where, fmt::format("{}", value));
  }
  *std::get<int64_t*>(field) = value;
  given = true;
}

void OptionEntry::set_number(const std::string& where, double value) {
  const bool inside = std::isfinite(value) && value >= bounds.min && value <= bounds.max;
  if (!std::holds_alternative<double*>(field) || !inside) refuse(where, fmt::format("{}", value));
  *std::get<double*>(field) = value;
  given = true;
}

void OptionEntry::set_text(const std::string& where, const std::string& value) {
  if (is_list()) return set_list({value});
  if (auto* choice = std::get_if<ChoiceField>(&field)) {
    if (!choice->set(value)) refuse(where, "'" + value + "'");
  } else if (auto* text = std::get_if<std::string*>(&field)) {
    **text = value;
  } else {
    refuse(where, "'" + value + "'");
  }
  given = true;
}

void OptionEntry::set_list(std::vector<std::string> values) {
  *std::get<std::vector<std::string>*>(field) = std::move(values);
  given = true;
}

void OptionEntry::set_word(const std::string& where, const std::string& word) {
  if (is_flag()) {
    if (word != "true" && word != "false") refuse(where, "'" + word + "'");
    return set_flag(where, word == "true");
  }
  if (std::holds_alternative<int64_t*>(field)) {
    int64_t value = 0;
    if (!parse_number(word, value)) refuse(where, "'" + word + "'");
    return set_integer(where, value);
  }
  if (std::holds_alternative<double*>(field)) {
    double value = 0;
    if (!parse_number(word, value)) refuse(where, "'" + word + "'");
    return set_number(where, value);
  }
  set_text(where, word);
}

OptionTable::OptionTable(Options& options) {
  Collector collector(entries_);
  options.visit(collector);
}

OptionEntry* OptionTable::find(const std::string& name) {
  const std::string dashed = with_dashes(name);
  for (OptionEntry& entry : entries_) {
    if (entry.name == dashed || std::ranges::count(entry.former_names, dashed) > 0) return &entry;
  }
  return nullptr;
}

std::string OptionTable::nearest(const std::string& name) const {
  std::vector<std::string> known;
  for (const CommonOption& option : common_options()) known.push_back(option.name);
  for (const OptionEntry& entry : entries_) known.push_back(entry.name);
  return nearest_name(with_dashes(name), known);
}

std::string with_dashes(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string toml_string(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace alambic
