#include "alambic/jobs/policy_gate.h"

#include "alambic/base/log.h"
#include "alambic/hub/hub_models.h"
#include "alambic/provenance/policy/gate.h"
#include "alambic/remote/endpoint.h"
#include "alambic/text/data/data_sources.h"

namespace alambic {

namespace {

// A server's terms are its host's; this machine's and a private network's are the model's, which it
// does not tell.
Ingredient ingredient_of(const Endpoint& endpoint) {
  return {.role = Ingredient::Role::teacher,
          .name = endpoint.name(),
          .host = endpoint.is_private() ? "" : endpoint.host};
}

}  // namespace

nlohmann::json ask_policy(const PolicyOptions& options, const PolicyCase& about) {
  using Role = Ingredient::Role;
  PolicyQuestion question{.product = about.out, .gpus = list_gpus()};
  question.uses_gpu =
      about.device.starts_with("cuda") || (about.device == "auto" && !question.gpus.gpus.empty());
  const auto add = [&](Role role, const std::string& folder) {
    question.ingredients.push_back(ingredient_of(role, as_hub_name(folder), folder));
  };
  add(Role::student, about.student);
  for (const NamedFolder& teacher : about.teachers) {
    if (is_endpoint(teacher.folder)) {
      question.ingredients.push_back(ingredient_of(parse_endpoint(teacher.folder)));
    } else if (teacher.folder != "self") {
      add(Role::teacher, teacher.folder);
    }
  }
  if (is_endpoint(about.judge)) {
    question.ingredients.push_back(ingredient_of(parse_endpoint(about.judge)));
  }
  for (const DataSource& source : parse_data_sources(about.data)) add(Role::data, source.name);
  if (!about.held_out.empty()) add(Role::data, about.held_out);
  const PolicyDecision decision =
      decide(read_rules(options.policy), question, options, today_utc());
  for (const std::string& warning : decision.warnings) warn(warning);
  refuse_unless_permitted(decision);
  return decision.json();
}

nlohmann::json ask_policy(const DistillOptions& options) {
  return ask_policy(options.policy, {.student = options.student,
                                     .teachers = parse_teachers(options.teachers.teacher),
                                     .data = options.data,
                                     .held_out = options.valid_data,
                                     .judge = options.reward.judge,
                                     .out = options.run.out,
                                     .device = options.machine.device});
}

}  // namespace alambic
