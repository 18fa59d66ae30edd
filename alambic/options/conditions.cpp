#include "alambic/options/conditions.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/base/names.h"

namespace alambic {
namespace {

using Kind = Condition::Kind;

// One of a condition's others: an option, at a value or at any that is something.
struct Other {
  const OptionEntry* entry = nullptr;
  std::string value;

  // "--lmbda 1"
  std::string name() const { return "--" + entry->name + (value.empty() ? "" : " " + value); }

  bool there() const { return value.empty() ? !entry->is_nothing() : entry->text() == value; }
};

// "chat or lmbda 1" as {"chat", "lmbda 1"}
std::vector<std::string> alternatives(const std::string& others) {
  static const std::string separator = " or ";
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t end = 0; (end = others.find(separator, begin)) != std::string::npos;) {
    parts.push_back(others.substr(begin, end - begin));
    begin = end + separator.size();
  }
  parts.push_back(others.substr(begin));
  return parts;
}

std::vector<Other> others_of(const OptionTable& table, const OptionEntry& subject,
                             const Condition& condition) {
  std::vector<Other> others;
  for (const std::string& part : alternatives(condition.others)) {
    const size_t space = std::min(part.find(' '), part.size());
    const OptionEntry* entry = table.find(part.substr(0, space));
    check(entry != nullptr, "--{}: a condition names --{}, which is not in the table", subject.name,
          part.substr(0, space));
    others.push_back({entry, part.substr(std::min(space + 1, part.size()))});
  }
  return others;
}

// "--chat or --lmbda 1"
std::string with_two_dashes(const std::string& others) {
  std::vector<std::string> parts = alternatives(others);
  for (std::string& part : parts) part.insert(0, "--");
  return join(parts, " or ");
}

// "--freeze embeddings", "--chat"
std::string as_given(const OptionEntry& entry) {
  return "--" + entry.name + (entry.choices().empty() ? "" : " " + entry.text());
}

Error refusal(const OptionEntry& subject, const Condition& condition,
              const std::vector<Other>& others) {
  const std::string given = as_given(subject), needed = with_two_dashes(condition.others);
  const std::string &reason = condition.because.reason, &hint = condition.because.hint;
  const auto or_else = [&](const std::string& usual) { return hint.empty() ? usual : hint; };
  if (condition.kind == Kind::required_without) {
    return input_error("--{} or {} is missing", subject.name, needed)
        .with_hint(fmt::format("--{}: {}", subject.name, subject.help));
  }
  if (condition.kind == Kind::not_with) {
    const std::string other = std::ranges::find_if(others, &Other::there)->name();
    if (reason.empty()) {
      return input_error("{} and {} were both given", given, other)
          .with_hint(or_else("choose one"));
    }
    return input_error("{} does not go with {}: {}", given, other, reason)
        .with_hint(or_else("leave one of them out"));
  }
  const std::string usual = fmt::format("give {} too, or leave --{} out", needed, subject.name);
  if (reason.empty()) {
    return input_error("{} has no effect without {}", given, needed).with_hint(or_else(usual));
  }
  const Other& first = others.front();
  const std::string found = first.value.empty() ? "" : ", found " + first.entry->text();
  return input_error("{} needs {}{}: {}", given, needed, found, reason).with_hint(or_else(usual));
}

bool broken(const OptionEntry& subject, const Condition& condition,
            const std::vector<Other>& others) {
  const bool there = std::ranges::any_of(others, &Other::there);
  switch (condition.kind) {
    case Kind::only_with:
      return !there && (subject.changed() || (subject.on_command_line && !subject.is_nothing()));
    case Kind::not_with:
      return there && subject.changed();
    case Kind::required_without:
      return !there && subject.is_nothing();
  }
  throw bug("--{}: a condition of no kind", subject.name);
}

}  // namespace

std::string condition_text(const Condition& condition) {
  const std::string others = with_two_dashes(condition.others);
  switch (condition.kind) {
    case Kind::only_with:
      return "only with " + others;
    case Kind::not_with:
      return "not with " + others;
    case Kind::required_without:
      return "required without " + others;
  }
  throw bug("a condition of no kind");
}

void check_conditions(const OptionTable& table) {
  std::optional<Error> first;  // thrown at the end, so that a wrong name in any condition is found
  for (const OptionEntry& entry : table.entries()) {
    for (const Condition& condition : entry.conditions) {
      const std::vector<Other> others = others_of(table, entry, condition);
      if (!first && broken(entry, condition, others)) first = refusal(entry, condition, others);
    }
  }
  if (first) throw *first;
}

void check_conditions(const Options& options, const Options& defaults) {
  OptionTable table(options);
  const OptionTable fresh(defaults);
  for (OptionEntry& entry : table.entries()) {
    if (const OptionEntry* one = fresh.find(entry.name)) entry.initial = one->initial;
  }
  check_conditions(table);
}

}  // namespace alambic
