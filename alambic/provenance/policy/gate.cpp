#include "alambic/provenance/policy/gate.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <optional>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"
#include "alambic/provenance/policy/hardware.h"
#include "alambic/provenance/run_record.h"

namespace alambic {
namespace {

using Json = nlohmann::json;
using Role = Ingredient::Role;

std::string role_name(Role role) {
  return role == Role::student ? "student" : role == Role::teacher ? "teacher" : "data";
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

const LicenseRule* rule_of_license(const PolicyRules& rules, const std::string& id) {
  if (id.empty()) return nullptr;
  for (const LicenseRule& rule : rules.licenses) {
    if (rule.id == id || any_matches(rule.licenses, id)) return &rule;
  }
  return nullptr;
}

const LicenseRule* rule_of_text(const PolicyRules& rules, const std::string& words) {
  for (const LicenseRule& rule : rules.licenses) {
    if (!rule.text.empty() && words.find(rule.text) != std::string::npos) return &rule;
  }
  return nullptr;
}

const LicenseRule* rule_of_name(const PolicyRules& rules, const Ingredient& of) {
  for (const LicenseRule& rule : rules.licenses) {
    if (of.host.empty() ? any_matches(rule.names, hub_like(of.name))
                        : any_matches(rule.hosts, of.host)) {
      return &rule;
    }
  }
  return nullptr;
}

Permit permit_of(const LicenseRule& rule, Role role, const std::string& student) {
  if (role == Role::student) return rule.as_student;
  if (role == Role::data) return rule.as_data;
  if (any_matches(rule.except_students, student)) return Permit::yes;
  return rule.as_teacher;
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
  }

  void see(const Ingredient& of) {
    std::set<const LicenseRule*> found;
    const auto add = [&](const LicenseRule* rule) {
      if (rule != nullptr && found.insert(rule).second) apply(of, *rule);
    };
    add(rule_of_name(rules_, of));
    for (const std::string& id : of.inherited) {
      const LicenseRule* rule = rule_of_license(rules_, id);
      rule == nullptr ? unknown(of, id) : add(rule);
    }
    if (!of.host.empty()) {
      if (found.empty()) unknown(of, of.host);
      return;
    }
    const LicenseRule* by_text = rule_of_text(rules_, of.license.words);
    const LicenseRule* own = by_text != nullptr ? by_text : rule_of_license(rules_, of.license.id);
    add(own);
    const bool tells = of.license.source != LicenseFacts::Source::none &&
                       of.license.source != LicenseFacts::Source::record;
    if (tells && own == nullptr) unknown(of, of.license.id);
    if (found.empty() && !tells && of.inherited.empty()) undeclared(of);
  }

 private:
  std::string about(const Ingredient& of) const {
    return role_name(of.role) + " " + printable(of.name);
  }

  void apply(const Ingredient& of, const LicenseRule& rule) {
    PolicyFinding finding{.about = about(of),
                          .rule = rule.id,
                          .permit = permit_of(rule, of.role, student_),
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
    if (of.role != Role::data && !rule.name_prefix.empty()) check_name(of, rule);
    for (const std::string& duty : rule.obligations) {
      const std::string text = fmt::format("{} ({}): {}", rule.id, about(of), duty);
      if (std::ranges::find(decision_.obligations, text) == decision_.obligations.end()) {
        decision_.obligations.push_back(text);
      }
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

void find_licenses(const Json& model, std::vector<std::string>& ids) {
  if (!model.is_object() || !model.contains("id")) return;
  if (model["id"].is_string()) ids.push_back(model["id"].get<std::string>());
}

void find_inherited(const Json& parent, std::vector<std::string>& ids) {
  if (!parent.is_object()) return;
  find_licenses(parent.value("student", Json()), ids);
  for (const Json& teacher : parent.value("teachers", Json::array())) find_licenses(teacher, ids);
  for (const Json& one : parent.value("parents", Json::array())) find_inherited(one, ids);
}

}  // namespace

Ingredient ingredient_of(Role role, const std::string& name, const fs::path& folder) {
  Ingredient of{.role = role, .name = name};
  if (!path_exists(folder)) return of;
  of.license = license_of(folder);
  if (!is_folder(folder)) return of;
  for (const Json& parent : parents_of({folder})) find_inherited(parent, of.inherited);
  std::ranges::sort(of.inherited);
  of.inherited.erase(std::unique(of.inherited.begin(), of.inherited.end()), of.inherited.end());
  return of;
}

bool PolicyDecision::permitted() const {
  return std::ranges::all_of(findings, &PolicyFinding::met);
}

Json PolicyDecision::json() const {
  Json list = Json::array();
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
          {"rules_sha256", rules_sha256}};
}

PolicyDecision decide(const PolicyRules& rules, const PolicyQuestion& question,
                      const PolicyOptions& options, const std::string& today) {
  PolicyDecision decision{.rules_sha256 = rules.sha256};
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
