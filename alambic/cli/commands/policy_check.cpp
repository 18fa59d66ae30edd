#include <fmt/core.h>

#include "alambic/base/error.h"
#include "alambic/cli/commands/policy_check_options.h"
#include "alambic/cli/run.h"
#include "alambic/hub/hub_models.h"
#include "alambic/provenance/policy/gate.h"

namespace alambic {
namespace {

using Role = Ingredient::Role;

PolicyQuestion question_of(const PolicyCheckOptions& options) {
  PolicyQuestion question{.product = options.out, .gpus = list_gpus(), .uses_gpu = options.gpu};
  const auto add = [&](Role role, const std::string& folder) {
    question.ingredients.push_back(ingredient_of(role, as_hub_name(folder), folder));
    question.ingredients.back().form = options.teaching;
  };
  add(Role::student, options.student);
  for (const std::string& teacher : options.teachers) add(Role::teacher, teacher);
  for (const std::string& host : options.hosts) {
    question.ingredients.push_back({.role = Role::teacher,
                                    .name = host,
                                    .license = {},
                                    .host = host,
                                    .form = options.teaching});
  }
  for (const std::string& data : options.data) add(Role::data, data);
  return question;
}

void print_text(const PolicyDecision& decision) {
  for (const PolicyFinding& one : decision.findings) {
    fmt::print("{:<8} {}: {} ({}): {}\n         {}{}\n", one.met ? "ok" : "refused", one.about,
               one.rule, permit_name(one.permit), one.says, one.source,
               one.as_of.empty() ? "" : ", as of " + one.as_of);
    if (!one.met) fmt::print("         {}\n", one.remedy);
  }
  for (const std::string& duty : decision.obligations) fmt::print("duty     {}\n", duty);
  for (const std::string& warning : decision.warnings) fmt::print("warning  {}\n", warning);
  fmt::print("{}\n", decision.permitted() ? "permitted" : "refused");
}

}  // namespace

int run(const PolicyCheckOptions& options) {
  const PolicyDecision decision =
      decide(rules_of(options.policy), question_of(options), options.policy, today_utc());
  if (options.json) {
    fmt::print("{}\n",
               decision.json().dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    print_text(decision);
  }
  return static_cast<int>(decision.permitted() ? Exit::done : Exit::refused);
}

}  // namespace alambic
