#include "alambic/cli/option_text.h"

#include <fmt/core.h>

#include "alambic/base/error.h"
#include "alambic/options/conditions.h"

namespace alambic {
namespace {

std::string default_of(const OptionEntry& entry) {
  if (entry.is_nothing() && (entry.is_flag() || entry.is_list() || entry.text().empty())) return "";
  const std::string value = entry.toml();
  const bool quoted = value.front() == '"';
  return quoted ? value.substr(1, value.size() - 2) : value;
}

}  // namespace

std::string placeholder_of(const OptionEntry& entry) {
  return entry.choices().empty() ? entry.placeholder() : "NAME";
}

std::string term_of(const std::string& name, const std::string& placeholder) {
  return "--" + name + (placeholder.empty() ? "" : " " + placeholder);
}

std::string facts_of(const OptionEntry& entry) {
  std::string facts;
  const auto add = [&](const std::string& fact) { facts += (facts.empty() ? "" : "; ") + fact; };
  if (entry.is_required) add("required");
  if (!entry.limits().empty()) add(entry.limits());
  if (!default_of(entry).empty()) add("default " + default_of(entry));
  if (entry.is_list()) add("may be repeated");
  for (const Condition& condition : entry.conditions) add(condition_text(condition));
  return facts.empty() ? "" : " (" + facts + ")";
}

std::string usage_of(const OptionTable& table) {
  std::string usage;
  for (const OptionEntry& entry : table.entries()) {
    if (!entry.is_required) continue;
    const bool alone = entry.name == "folder";  // `alambic verify FOLDER`
    usage += alone ? "FOLDER" : term_of(entry.name, placeholder_of(entry));
    usage += ' ';
  }
  return usage + "[--config run.toml] [--key value ...]";
}

const std::vector<std::pair<int, std::string>>& exit_codes() {
  static const std::vector<std::pair<int, std::string>> codes = {
      {static_cast<int>(Exit::done), "done"},
      {static_cast<int>(Exit::input), "your input"},
      {static_cast<int>(Exit::environment), "the environment"},
      {static_cast<int>(Exit::refused), "refused by policy or preflight"},
      {static_cast<int>(Exit::bug), "a bug in Alambic"},
      {static_cast<int>(Exit::stopped), "stopped and resumable"}};
  return codes;
}

}  // namespace alambic
