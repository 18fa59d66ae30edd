#include "alambic/provenance/policy/record_policy.h"

#include <set>

#include "alambic/base/error.h"
#include "alambic/provenance/parents.h"
#include "alambic/provenance/policy/gate.h"
#include "alambic/provenance/run_record.h"

namespace alambic {
namespace {

using Json = nlohmann::json;
using Role = Ingredient::Role;

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

Ingredient ingredient_of(Role role, const Json& model) {
  const Json license = model.value("license", Json::object());
  Ingredient of{.role = role, .name = text_of(model.at("name"))};
  of.license.id = text_of(license.is_object() ? license.value("id", Json()) : Json());
  if (!of.license.id.empty()) of.license.source = LicenseFacts::Source::card;
  of.host = text_of(model.value("host", Json()));
  return of;
}

void take_licenses(const Json& model, std::vector<std::string>& ids) {
  if (!model.is_object() || !model.contains("name")) return;
  const std::string id = ingredient_of(Role::teacher, model).license.id;
  if (!id.empty()) ids.push_back(id);
}

// Models and servers of a record and of its parents.
std::vector<Ingredient> ingredients_of(const Json& record) {
  std::vector<Ingredient> list = {ingredient_of(Role::student, record.at("student"))};
  for_each_parent(record, [&](const Json& parent, int) {
    take_licenses(parent.value("student", Json()), list.front().inherited);
    for (const Json& one : parent.value("teachers", Json::array())) {
      if (one.is_object() && one.contains("name") && one["name"] != "self") {
        list.push_back(ingredient_of(Role::teacher, one));
      }
    }
  });
  for (const Json& teacher : record.at("teachers")) {
    if (teacher.at("name") != "self") list.push_back(ingredient_of(Role::teacher, teacher));
  }
  for (const Json& score : record.at("scores")) {
    if (score.at("kind") == "judge") list.push_back(ingredient_of(Role::teacher, score));
  }
  return list;
}

FolderFault fault(const std::string& what) {
  return {FolderFault::Kind::policy, record_name, what};
}

std::vector<FolderFault> faults_of(const Json& record, const PolicyRules& rules,
                                   const std::string& today) {
  const Json& policy = record.at("policy");
  if (policy.value("verdict", "") != "permitted") {
    return {fault("the policy did not permit the run, or was not asked")};
  }
  std::vector<FolderFault> faults;
  for (const Json& one : policy.value("overrides", Json::array())) {
    faults.push_back(fault(fmt::format("the policy was overridden: {}", one.dump())));
  }
  std::set<std::string> asked;
  for (const Json& one : policy.value("findings", Json::array()))
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

std::vector<FolderFault> policy_faults(const Json& record, const PolicyRules& rules,
                                       const std::string& today) {
  try {
    return faults_of(record, rules, today);
  } catch (const Json::exception&) {
    throw input_error("{}: its policy has another form than a record's", record_name);
  }
}

}  // namespace alambic
