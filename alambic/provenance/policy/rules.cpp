#include "alambic/provenance/policy/rules.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/base/sha256.h"
#include "alambic/provenance/policy/licenses.h"

namespace alambic {
namespace {

// A table of a rules' file: every key is read once, and one that nobody reads is an error.
class Table {
 public:
  Table(const toml::table& table, std::string where) : table_(table), where_(std::move(where)) {}

  std::string text(const std::string& key) {
    const toml::node* node = take(key);
    if (node != nullptr && !node->is_string()) wrong(key, "a string");
    return node == nullptr ? "" : node->ref<std::string>();
  }
  std::vector<std::string> texts(const std::string& key) {
    const toml::node* node = take(key);
    std::vector<std::string> list;
    if (node == nullptr) return list;
    if (!node->is_array()) wrong(key, "a list of strings");
    for (const toml::node& item : *node->as_array()) {
      if (!item.is_string()) wrong(key, "a list of strings");
      list.push_back(item.ref<std::string>());
    }
    return list;
  }
  bool flag(const std::string& key, bool otherwise) {
    const toml::node* node = take(key);
    if (node != nullptr && !node->is_boolean()) wrong(key, "true or false");
    return node == nullptr ? otherwise : node->ref<bool>();
  }
  int64_t integer(const std::string& key) {
    const toml::node* node = take(key);
    if (node != nullptr && !node->is_integer()) wrong(key, "a number");
    return node == nullptr ? 0 : node->ref<int64_t>();
  }
  Permit permit(const std::string& key, Permit otherwise) {
    const std::string word = text(key);
    if (word.empty()) return otherwise;
    for (const Permit one : {Permit::yes, Permit::conditional, Permit::ask, Permit::no}) {
      if (permit_name(one) == word) return one;
    }
    wrong(key, "yes, conditional, ask or no");
  }
  /// Calls `read` with each table of the list under `key`.
  void tables(const std::string& key, const std::function<void(Table&)>& read) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    if (!node->is_array()) wrong(key, "tables, as [[" + key + "]]");
    int64_t number = 0;
    for (const toml::node& item : *node->as_array()) {
      if (!item.is_table()) wrong(key, "tables, as [[" + key + "]]");
      Table table(*item.as_table(), fmt::format("{}: {} {}", where_, key, ++number));
      read(table);
      table.finish();
    }
  }
  void table(const std::string& key, const std::function<void(Table&)>& read) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    if (!node->is_table()) wrong(key, "a table, as [" + key + "]");
    Table inner(*node->as_table(), where_ + ": " + key);
    read(inner);
    inner.finish();
  }
  void finish() const {
    for (const auto& entry : table_) {
      const std::string key(entry.first.str());
      if (std::ranges::find(read_, key) != read_.end()) continue;
      const std::string near = nearest_name(key, read_);
      throw input_error("{}: unknown key '{}'", where_, key)
          .with_hint(near.empty() ? "docs/provenance.md lists the keys"
                                  : fmt::format("did you mean '{}'?", near));
    }
  }
  [[noreturn]] void wrong(const std::string& key, const std::string& expected) const {
    throw input_error("{}: {} should be {}", where_, key, expected);
  }

 private:
  const toml::node* take(const std::string& key) {
    read_.push_back(key);
    return table_.get(key);
  }
  const toml::table& table_;
  std::string where_;
  std::vector<std::string> read_;
};

bool is_day(const std::string& text) {
  return text.size() == 10 && text[4] == '-' && text[7] == '-' &&
         text.find_first_not_of("0123456789-") == std::string::npos;
}

std::array<Permit, 3> teacher_permits(Table& table) {
  const Permit all = table.permit("as_teacher", Permit::ask);
  std::array<Permit, 3> permits{};
  for (const Teaching form : {Teaching::text, Teaching::logits, Teaching::states}) {
    permits[static_cast<size_t>(form)] = table.permit("as_teacher_" + teaching_name(form), all);
  }
  return permits;
}

LicenseRule license_rule(Table& table, std::string& reason) {
  LicenseRule rule{.id = table.text("id"),
                   .licenses = table.texts("licenses"),
                   .text = table.text("text"),
                   .names = table.texts("names"),
                   .hosts = table.texts("hosts"),
                   .as_teacher = teacher_permits(table),
                   .as_student = table.permit("as_student", Permit::ask),
                   .as_data = table.permit("as_data", Permit::ask),
                   .except_students = table.texts("except_students"),
                   .name_prefix = table.text("name_prefix"),
                   .condition = table.text("condition"),
                   .obligations = table.texts("obligations"),
                   .says = table.text("says"),
                   .source = table.text("source"),
                   .as_of = table.text("as_of")};
  reason = table.text("reason");
  if (rule.id.empty()) table.wrong("id", "the rule's name");
  if (rule.source.empty()) table.wrong("source", "where the terms stand");
  if (!is_day(rule.as_of)) table.wrong("as_of", "a day as 2026-11-24");
  return rule;
}

void read_hardware(Table& table, HardwareRule& rule) {
  rule.declared = true;
  rule.cpu = table.flag("cpu", true);
  rule.ecc = table.flag("ecc", false);
  rule.no_mig = table.flag("no_mig", false);
  rule.driver_min = table.text("driver_min");
  table.tables("device", [&](Table& device) {
    rule.devices.push_back({.name = device.text("name"),
                            .uuids = device.texts("uuids"),
                            .max_count = device.integer("max_count")});
    if (rule.devices.back().name.empty()) device.wrong("name", "a pattern as \"NVIDIA H200*\"");
  });
}

bool is_looser(const LicenseRule& rule, const LicenseRule& shipped) {
  for (size_t form = 0; form < rule.as_teacher.size(); ++form) {
    if (rule.as_teacher[form] < shipped.as_teacher[form]) return true;
  }
  return rule.as_student < shipped.as_student || rule.as_data < shipped.as_data;
}

toml::table parse(const std::string& text, const std::string& where) {
  try {
    return toml::parse(text, where);
  } catch (const toml::parse_error& error) {
    throw input_error("{}:{}: not valid TOML: {}", where, error.source().begin.line,
                      error.description());
  }
}

std::vector<LicenseRule> read_licenses(Table& table, PolicyRules* rules) {
  std::vector<LicenseRule> licenses;
  table.tables("license", [&](Table& one) {
    std::string reason;
    LicenseRule rule = license_rule(one, reason);
    for (const LicenseRule& shipped : rules == nullptr ? licenses : rules->licenses) {
      if (shipped.id != rule.id || rules == nullptr || !is_looser(rule, shipped)) continue;
      if (reason.empty()) one.wrong("reason", "given: the shipped rule is stricter");
    }
    if (rules != nullptr && !reason.empty()) rules->loosened.emplace_back(rule.id, reason);
    licenses.push_back(std::move(rule));
  });
  return licenses;
}

}  // namespace

std::string permit_name(Permit permit) {
  switch (permit) {
    case Permit::yes:
      return "yes";
    case Permit::conditional:
      return "conditional";
    case Permit::ask:
      return "ask";
    case Permit::no:
      return "no";
  }
  throw bug("a permit of no kind");
}

std::string teaching_name(Teaching form) {
  switch (form) {
    case Teaching::text:
      return "text";
    case Teaching::logits:
      return "logits";
    case Teaching::states:
      return "states";
  }
  throw bug("a teacher of no form");
}

PolicyRules read_rules(const fs::path& file) {
  const toml::table shipped = parse(kLicenses, "the shipped rules");
  Table table(shipped, "the shipped rules");
  PolicyRules rules{.licenses = read_licenses(table, nullptr)};
  table.finish();
  std::string all = kLicenses;
  if (!file.empty()) {
    const std::string text = read_file(file, 1 << 24);
    const toml::table parsed = parse(text, file.string());
    Table overlay(parsed, file.string());
    rules.undeclared = overlay.permit("undeclared", rules.undeclared);
    rules.unknown = overlay.permit("unknown", rules.unknown);
    overlay.table("hardware", [&](Table& one) { read_hardware(one, rules.hardware); });
    std::vector<LicenseRule> first = read_licenses(overlay, &rules);
    overlay.finish();
    rules.licenses.insert(rules.licenses.begin(), first.begin(), first.end());
    all += text;
  }
  rules.sha256 = sha256(all);
  return rules;
}

bool matches(std::string_view text, std::string_view pattern) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    return matches(text, pattern.substr(1)) || (!text.empty() && matches(text.substr(1), pattern));
  }
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return !text.empty() && lower(text.front()) == lower(pattern.front()) &&
         matches(text.substr(1), pattern.substr(1));
}

}  // namespace alambic
