#include "alambic/provenance/policy/record_policy.h"

#include <set>

#include "alambic/base/error.h"
#include "alambic/provenance/parents.h"
#include "alambic/provenance/policy/gate.h"
#include "alambic/provenance/run_record.h"

namespace alambic {
namespace {

using SortedJson = nlohmann::json;
using Role = Ingredient::Role;

std::string text_of(const SortedJson& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

Ingredient ingredient_of(Role role, const SortedJson& model) {
  const SortedJson license = model.value("license", SortedJson::object());
  Ingredient of{.role = role, .name = text_of(model.at("name"))};
  of.license.id = text_of(license.is_object() ? license.value("id", SortedJson()) : SortedJson());
  if (!of.license.id.empty()) of.license.source = LicenseFacts::Source::card;
  of.host = text_of(model.value("host", SortedJson()));
  return of;
}

void take_licenses(const SortedJson& model, std::vector<std::string>& ids) {
  if (!model.is_object() || !model.contains("name")) return;
  const std::string id = ingredient_of(Role::teacher, model).license.id;
  if (!id.empty()) ids.push_back(id);
}

// Models and servers of a record and of its parents.
std::vector<Ingredient> ingredients_of(const SortedJson& record) {
  std::vector<Ingredient> list = {ingredient_of(Role::student, record.at("student"))};
  for_each_parent(record, [&](const SortedJson& parent, int) {
    take_licenses(parent.value("student", SortedJson()), list.front().inherited);
    for (const SortedJson& one : parent.value("teachers", SortedJson::array())) {
      if (one.is_object() && one.contains("name") && one["name"] != "self") {
        list.push_back(ingredient_of(Role::teacher, one));
      }
    }
  });
  for (const SortedJson& teacher : record.at("teachers")) {
    if (teacher.at("name") != "self") list.push_back(ingredient_of(Role::teacher, teacher));
  }
  for (const SortedJson& score : record.at("scores")) {
    if (score.at("kind") == "judge") list.push_back(ingredient_of(Role::teacher, score));
  }
  return list;
}

FolderFault fault(const std::string& what) {
  return {FolderFault::Kind::policy, record_name, what};
}

std::vector<FolderFault> faults_of(const SortedJson& record, const PolicyRules& rules,
                                   const std::string& today) {
  const SortedJson& policy = record.at("policy");
  if (policy.value("verdict", "") != "permitted") {
    return {fault("the policy did not permit the run, or was not asked")};
  }
  std::vector<FolderFault> faults;
  for (const SortedJson& one : policy.value("overrides", SortedJson::array())) {
    faults.push_back(fault(fmt::format("the policy was overridden: {}", one.dump())));
  }
  std::set<std::string> asked;
  for (const SortedJson& one : policy.value("findings", SortedJson::array()))
    asked.insert(text_of(one["rule"]));
  const PolicyDecision now =
      decide(rules, {.ingredients = ingredients_of(record)}, PolicyOptions(), today);
  for (const PolicyFinding& finding : now.findings) {
    if (finding.permit == Permit::yes || asked.contains(finding.rule)) continue;
    faults.push_back(fault(fmt::format(
        "{}: {} ({}): {} [{}]: the run was not asked by this rule, its table was another one",
        finding.about, finding.rule, permit_name(finding.permit), finding.says, finding.source)));
  }
  return faults;
}

}  // namespace

std::vector<FolderFault> policy_faults(const SortedJson& record, const PolicyRules& rules,
                                       const std::string& today) {
  try {
    return faults_of(record, rules, today);
  } catch (const SortedJson::exception&) {
    throw input_error("{}: its policy has another form than a record's", record_name);
  }
}

}  // namespace alambic
