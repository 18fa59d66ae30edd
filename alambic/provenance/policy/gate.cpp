#include "alambic/provenance/policy/gate.h"

#include <algorithm>
#include <ctime>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"
#include "alambic/provenance/parents.h"
#include "alambic/provenance/policy/hardware.h"
#include "alambic/provenance/sign_folder.h"

namespace alambic {
namespace {

using SortedJson = nlohmann::json;
using Role = Ingredient::Role;

std::string role_name(Role role) {
  switch (role) {
    case Role::student:
      return "student";
    case Role::teacher:
      return "teacher";
    case Role::data:
      return "data";
    case Role::served:
      return "served model";
  }
  throw bug("an ingredient of no role");
}

bool any_matches(const std::vector<std::string>& patterns, const std::string& text) {
  return std::ranges::any_of(patterns, [&](const std::string& one) { return matches(text, one); });
}

// "runs/a/model" and "meta-llama/Llama-2-7b@rev": the last two parts, as names of the hub are.
std::string hub_like(const std::string& name) {
  const std::string plain = name.substr(0, name.find('@'));
  const size_t last = plain.rfind('/');
  const size_t before = last == 0 || last == std::string::npos ? last : plain.rfind('/', last - 1);
  return before == std::string::npos ? plain : plain.substr(before + 1);
}

bool has_license(const LicenseRule& rule, const std::string& id) {
  return !id.empty() && (rule.id == id || any_matches(rule.licenses, id));
}

bool has_text(const LicenseRule& rule, const std::string& words) {
  return !rule.text.empty() && words.find(rule.text) != std::string::npos;
}

bool has_name(const LicenseRule& rule, const Ingredient& of) {
  return of.host.empty() ? any_matches(rule.names, hub_like(of.name))
                         : any_matches(rule.hosts, of.host);
}

Permit permit_of(const LicenseRule& rule, const Ingredient& of, const std::string& student) {
  if (of.role == Role::student || of.role == Role::served) return rule.as_student;
  if (of.role == Role::data) return rule.as_data;
  if (any_matches(rule.except_students, student)) return Permit::yes;
  return rule.as_teacher[static_cast<size_t>(of.form)];
}

// Days since the first of March of the year 0 (Howard Hinnant's days_from_civil, without an era).
int64_t day_number(const std::string& day) {
  int64_t year = std::stoi(day.substr(0, 4));
  const int64_t month = std::stoi(day.substr(5, 2)), date = std::stoi(day.substr(8, 2));
  if (month <= 2) --year;
  const int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + date - 1;
  return 365 * year + year / 4 - year / 100 + year / 400 + of_year;
}

class Judge {
 public:
  Judge(const PolicyRules& rules, const PolicyQuestion& question, const std::string& today,
        PolicyDecision& decision)
      : rules_(rules), question_(question), today_(day_number(today)), decision_(decision) {
    for (const Ingredient& one : question.ingredients) {
      if (one.role == Role::student) student_ = hub_like(one.name);
    }
    static const auto shipped = static_cast<int64_t>(read_rules({}).licenses.size());
    shipped_ = rules.licenses.end() - std::min(shipped, std::ssize(rules.licenses));
  }

  void see(const Ingredient& of) {
    std::set<const LicenseRule*> found;
    // The first rule that matches; an operator's own without a reason loosens no shipped one.
    const auto look = [&](const std::function<bool(const LicenseRule&)>& matches_it) {
      const auto end = rules_.licenses.end();
      const auto first = std::find_if(rules_.licenses.begin(), end, matches_it);
      if (first == end) return false;
      if (found.insert(&*first).second) apply(of, *first);
      if (first >= shipped_ || explained(*first)) return true;
      const auto stricter = std::find_if(shipped_, end, matches_it);
      if (stricter != end && permit_of(*stricter, of, student_) > permit_of(*first, of, student_) &&
          found.insert(&*stricter).second) {
        apply(of, *stricter);
      }
      return true;
    };
    const auto by_license = [&](const std::string& id) {
      return look([&](const LicenseRule& rule) { return has_license(rule, id); });
    };
    look([&](const LicenseRule& rule) { return has_name(rule, of); });
    for (const std::string& id : of.inherited) {
      if (!by_license(id)) unknown(of, id);
    }
    if (!of.host.empty()) {
      if (found.empty()) unknown(of, of.host);
      return;
    }
    const bool known =
        look([&](const LicenseRule& rule) { return has_text(rule, of.license.words); }) ||
        by_license(of.license.id);
    const bool tells = of.license.source != LicenseFacts::Source::none &&
                       of.license.source != LicenseFacts::Source::record;
    if (tells && !known) unknown(of, of.license.id);
    if (found.empty() && !tells && of.inherited.empty()) undeclared(of);
  }

 private:
  bool explained(const LicenseRule& rule) const {
    return std::ranges::any_of(rules_.loosened,
                               [&](const auto& one) { return one.first == rule.id; });
  }

  std::string about(const Ingredient& of) const {
    return role_name(of.role) + " " + printable(of.name);
  }

  void apply(const Ingredient& of, const LicenseRule& rule) {
    PolicyFinding finding{.about = about(of),
                          .rule = rule.id,
                          .permit = permit_of(rule, of, student_),
                          .says = rule.says,
                          .source = rule.source,
                          .as_of = rule.as_of};
    const int64_t age = today_ - day_number(rule.as_of);
    if (age > 365 && finding.permit < Permit::ask) finding.permit = Permit::ask;
    if (age > 180) {
      decision_.warnings.push_back(
          fmt::format("the rule {} is of {}, {} days ago: look whether its terms still hold",
                      rule.id, rule.as_of, age));
    }
    finding.remedy =
        finding.permit == Permit::conditional
            ? fmt::format("--attest '{}=…' --attested-by NAME, if {}", rule.id, rule.condition)
            : remedy_of(finding.permit, rule.id);
    finding.met = finding.permit == Permit::yes;
    decision_.findings.push_back(std::move(finding));
    if (of.role != Role::data && !rule.name_prefix.empty()) {
      if (of.role != Role::served) check_name(of, rule);
      oblige(of, rule, fmt::format("its name begins with \"{}\"", rule.name_prefix));
    }
    for (const std::string& duty : rule.obligations) oblige(of, rule, duty);
  }

  void oblige(const Ingredient& of, const LicenseRule& rule, const std::string& duty) {
    const std::string text = fmt::format("{} ({}): {}", rule.id, about(of), duty);
    if (std::ranges::find(decision_.obligations, text) == decision_.obligations.end()) {
      decision_.obligations.push_back(text);
    }
  }

  static std::string remedy_of(Permit permit, const std::string& rule) {
    if (permit == Permit::yes) return "";
    if (permit == Permit::no) {
      return fmt::format("another teacher, or --override-policy '{}=REASON', which is recorded",
                         rule);
    }
    return fmt::format("--attest '{}=what its terms say' --attested-by NAME", rule);
  }

  // Told, not refused: a folder's name is not yet the name under which a model is passed on.
  void check_name(const Ingredient& of, const LicenseRule& rule) {
    const std::string name = fs::path(question_.product).filename().string();
    if (matches(name, rule.name_prefix + "*")) return;
    decision_.warnings.push_back(
        fmt::format("{} ({}): a model that is passed on must have \"{}\" at the beginning of its "
                    "name",
                    rule.id, about(of), rule.name_prefix));
  }

  void unknown(const Ingredient& of, const std::string& id) {
    const std::string rule = "license of " + printable(of.name);
    PolicyFinding finding{.about = about(of), .rule = rule, .permit = rules_.unknown};
    finding.says = id.empty()
                       ? fmt::format("the text of {} is none that is known",
                                     of.license.file.empty() ? "its license" : of.license.file)
                       : fmt::format("no rule knows '{}'", printable(id));
    finding.source = "rule of the tool: unknown terms ask";
    finding.remedy = remedy_of(finding.permit, rule);
    finding.met = finding.permit == Permit::yes;
    decision_.findings.push_back(std::move(finding));
  }

  void undeclared(const Ingredient& of) {
    const std::string rule = "license of " + printable(of.name);
    PolicyFinding finding{.about = about(of), .rule = rule, .permit = rules_.undeclared};
    finding.says = "nothing tells a license";
    finding.source = "rule of the tool; `undeclared` of a policy file says what then";
    finding.remedy = remedy_of(finding.permit, rule);
    finding.met = finding.permit == Permit::yes;
    decision_.findings.push_back(std::move(finding));
  }

  const PolicyRules& rules_;
  std::vector<LicenseRule>::const_iterator shipped_;  // the first one after the operator's own
  const PolicyQuestion& question_;
  const int64_t today_;
  std::string student_;
  PolicyDecision& decision_;
};

// "RULE=TEXT" of an option that names a rule which applied.
std::pair<std::string, std::string> split(const char* option, const std::string& word,
                                          const PolicyDecision& decision) {
  const size_t equals = word.find('=');
  const std::string rule = word.substr(0, equals);
  if (equals == std::string::npos || equals + 1 == word.size() || rule.empty()) {
    throw input_error("{}: expected RULE=TEXT, found '{}'", option, word);
  }
  std::vector<std::string> names;
  for (const PolicyFinding& finding : decision.findings) names.push_back(finding.rule);
  if (std::ranges::find(names, rule) == names.end()) {
    const std::string near = nearest_name(rule, names);
    throw input_error("{}: no rule '{}' applies to this run", option, rule)
        .with_hint(near.empty() ? "`alambic policy check` lists the rules that apply"
                                : fmt::format("did you mean '{}'?", near));
  }
  return {rule, word.substr(equals + 1)};
}

void meet(PolicyDecision& decision, const std::string& rule, bool even_no) {
  for (PolicyFinding& finding : decision.findings) {
    if (finding.rule == rule && (even_no || finding.permit != Permit::no)) finding.met = true;
  }
}

// Of a model, or of its license alone, as records of version 0.1 have it.
void find_licenses(const SortedJson& model, std::vector<std::string>& ids) {
  if (!model.is_object()) return;
  const SortedJson& license = model.contains("license") ? model["license"] : model;
  if (!license.is_object() || !license.contains("id")) return;
  if (license["id"].is_string()) {
    ids.push_back(license["id"].get<std::string>());
  } else if (license.value("told_by", "") == "unknown text") {
    // Terms that nobody knew once are not met by being a generation away.
    ids.push_back("text " + license.value("sha256", "").substr(0, 16));
  }
}

}  // namespace

PolicyRules rules_of(const PolicyOptions& options) {
  if (options.policy_key.empty()) return read_rules(options.policy);
  const CheckedFolder checked =
      check_folder(options.policy, {.key = read_public_key(options.policy_key)}, {});
  if (!checked.faults.empty()) {
    throw Error(
        Exit::refused,
        fmt::format("the policy {} {}", printable(options.policy), checked.faults.front().what),
        "sign it again, if the change is the operator's");
  }
  PolicyRules rules = read_rules(options.policy);
  rules.signer = checked.signer;
  return rules;
}

Ingredient ingredient_of(Role role, const std::string& name, const fs::path& folder) {
  Ingredient of{.role = role, .name = name};
  if (!path_exists(folder)) return of;
  of.license = license_of(folder);
  if (!is_folder(folder)) return of;
  for_each_parent({{"parents", parents_of({folder})}}, [&](const SortedJson& parent, int) {
    if (!parent.is_object()) return;
    find_licenses(parent.value("student", SortedJson()), of.inherited);
    for (const SortedJson& teacher : parent.value("teachers", SortedJson::array())) {
      find_licenses(teacher, of.inherited);
    }
  });
  std::ranges::sort(of.inherited);
  of.inherited.erase(std::unique(of.inherited.begin(), of.inherited.end()), of.inherited.end());
  return of;
}

bool PolicyDecision::permitted() const {
  return std::ranges::all_of(findings, &PolicyFinding::met);
}

SortedJson PolicyDecision::json() const {
  SortedJson list = SortedJson::array();
  for (const PolicyFinding& finding : findings) {
    list.push_back({{"about", finding.about},
                    {"rule", finding.rule},
                    {"permit", permit_name(finding.permit)},
                    {"met", finding.met},
                    {"says", finding.says},
                    {"source", finding.source},
                    {"as_of", finding.as_of}});
  }
  return {{"verdict", permitted() ? "permitted" : "refused"},
          {"findings", list},
          {"obligations", obligations},
          {"warnings", warnings},
          {"attested", attested},
          {"overrides", overrides},
          {"rules_sha256", rules_sha256},
          {"rules_signer", rules_signer.empty() ? unknown_fact("no --policy-key was given")
                                                : SortedJson(rules_signer)}};
}

PolicyDecision decide(const PolicyRules& rules, const PolicyQuestion& question,
                      const PolicyOptions& options, const std::string& today) {
  PolicyDecision decision{.rules_sha256 = rules.sha256, .rules_signer = rules.signer};
  Judge judge(rules, question, today, decision);
  for (const Ingredient& one : question.ingredients) judge.see(one);
  for (PolicyFinding& finding : hardware_findings(rules.hardware, question)) {
    decision.findings.push_back(std::move(finding));
  }
  for (const std::string& word : options.attest) {
    const auto [rule, text] = split("--attest", word, decision);
    if (options.attested_by.empty()) throw input_error("--attest needs --attested-by");
    meet(decision, rule, /*even_no=*/false);
    decision.attested.push_back({{"rule", rule}, {"text", text}, {"by", options.attested_by}});
  }
  for (const std::string& word : options.override_policy) {
    const auto [rule, reason] = split("--override-policy", word, decision);
    meet(decision, rule, /*even_no=*/true);
    decision.overrides.push_back({{"rule", rule}, {"reason", reason}, {"by", options.attested_by}});
  }
  for (const auto& [rule, reason] : rules.loosened) {
    decision.overrides.push_back(
        {{"rule", rule}, {"reason", reason}, {"by", "the operator's policy file"}});
  }
  return decision;
}

void refuse_unless_permitted(const PolicyDecision& decision) {
  std::vector<std::string> reasons, remedies;
  for (const PolicyFinding& finding : decision.findings) {
    if (finding.met) continue;
    const std::string day = finding.as_of.empty() ? "" : ", as of " + finding.as_of;
    reasons.push_back(fmt::format("{}: {} ({}): {} [{}{}]", finding.about, finding.rule,
                                  permit_name(finding.permit), finding.says, finding.source, day));
    remedies.push_back(finding.remedy);
  }
  if (reasons.empty()) return;
  throw Error(Exit::refused, "the policy refuses this run: " + join(reasons, "; "),
              join(remedies, "; "));
}

std::string today_utc() {
  const std::time_t time = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

}  // namespace alambic
