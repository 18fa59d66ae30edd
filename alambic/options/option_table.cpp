#include "alambic/options/option_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <type_traits>
#include <utility>

#include "alambic/base/error.h"
#include "alambic/base/names.h"

namespace alambic {
namespace {

class Collector : public OptionVisitor {
 public:
  std::vector<OptionEntry> take() {
    for (const std::string& name : required_) named(name).required = true;
    for (const auto& [name, weights] : models_) {
      named(name).model = true;
      named(name).model_weights = weights;
    }
    return std::move(entries_);
  }

  void group(const std::string& title) override { group_ = title; }
  void flag(const std::string& name, bool& field, const std::string& help) override {
    add(name, &field, help);
  }
  void integer(const std::string& name, int64_t& field, const std::string& help,
               Bounds bounds) override {
    add(name, &field, help).bounds = bounds;
  }
  void number(const std::string& name, double& field, const std::string& help,
              Bounds bounds) override {
    add(name, &field, help).bounds = bounds;
  }
  void text(const std::string& name, std::string& field, const std::string& help) override {
    add(name, &field, help);
  }
  void choice(const std::string& name, std::string& field, const std::vector<std::string>& choices,
              const std::string& help) override {
    add(name, &field, help).choices = choices;
  }
  void list(const std::string& name, std::vector<std::string>& field,
            const std::string& help) override {
    add(name, &field, help);
  }
  void required(const std::string& name) override { required_.push_back(name); }
  void model(const std::string& name, bool weights) override {
    models_.emplace_back(name, weights);
  }

 private:
  OptionEntry& named(const std::string& name) {
    const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const OptionEntry& e) { return e.name == name; });
    check(entry != entries_.end(), "option '{}' is not in the table", name);
    return *entry;
  }

  OptionEntry& add(const std::string& name, OptionEntry::Field field, const std::string& help) {
    OptionEntry entry;
    entry.name = name;
    entry.group = group_;
    entry.help = help;
    entry.field = field;
    entries_.push_back(std::move(entry));
    return entries_.back();
  }

  std::string group_;
  std::vector<OptionEntry> entries_;
  std::vector<std::string> required_;
  std::vector<std::pair<std::string, bool>> models_;
};

template <class Number>
bool parse_number(const std::string& word, Number& value) {
  const char* begin = word.data() + (word.starts_with('+') ? 1 : 0);
  const char* end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(begin, end, value);
  return error == std::errc() && rest == end && begin != end;
}

}  // namespace

std::string OptionEntry::placeholder() const {
  if (is_flag()) return "";
  if (std::holds_alternative<int64_t*>(field)) return "N";
  if (std::holds_alternative<double*>(field)) return "X";
  if (!choices.empty()) return join(choices, "|");
  return "TEXT";
}

std::string OptionEntry::limits() const {
  if (!choices.empty()) return join(choices, "|");
  const bool below = std::isfinite(bounds.min), above = std::isfinite(bounds.max);
  if (below && above) return fmt::format("{} to {}", bounds.min, bounds.max);
  if (below) return fmt::format("at least {}", bounds.min);
  if (above) return fmt::format("at most {}", bounds.max);
  return "";
}

std::string OptionEntry::toml() const {
  if (const auto flag = std::get_if<bool*>(&field)) return **flag ? "true" : "false";
  if (const auto integer = std::get_if<int64_t*>(&field)) return fmt::format("{}", **integer);
  if (const auto number = std::get_if<double*>(&field)) return fmt::format("{}", **number);
  if (const auto text = std::get_if<std::string*>(&field)) return toml_string(**text);
  std::vector<std::string> quoted;
  for (const std::string& item : *std::get<std::vector<std::string>*>(field)) {
    quoted.push_back(toml_string(item));
  }
  return "[" + join(quoted) + "]";
}

void OptionEntry::refuse(const std::string& where, const std::string& found) const {
  const std::string range = limits();
  const std::string suffix = range.empty() ? "" : ", " + range;
  std::string expected = "text";
  if (is_flag()) expected = "true or false";
  if (is_list()) expected = "a list of texts";
  if (std::holds_alternative<int64_t*>(field)) expected = "a whole number" + suffix;
  if (std::holds_alternative<double*>(field)) expected = "a number" + suffix;
  if (!choices.empty()) expected = "one of " + join(choices);
  const Error error = input_error("{}: expected {}, found {}", where, expected, found);
  const std::string word = found.starts_with('\'') ? found.substr(1, found.size() - 2) : found;
  const std::string near = nearest_name(word, choices);
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
  const bool chosen =
      choices.empty() || std::find(choices.begin(), choices.end(), value) != choices.end();
  if (!std::holds_alternative<std::string*>(field) || !chosen) refuse(where, "'" + value + "'");
  *std::get<std::string*>(field) = value;
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
  Collector collector;
  options.visit(collector);
  entries_ = collector.take();
}

OptionEntry* OptionTable::find(const std::string& name) {
  for (OptionEntry& entry : entries_) {
    if (entry.name == with_dashes(name)) return &entry;
  }
  return nullptr;
}

std::string OptionTable::nearest(const std::string& name) const {
  std::vector<std::string> known{"config", "help", "debug", "offline"};
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
