#include "alambic/jobs/policy_gate.h"

#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/hub/hub_models.h"
#include "alambic/objective/parse.h"
#include "alambic/provenance/policy/gate.h"
#include "alambic/remote/endpoint.h"
#include "alambic/text/data/data_sources.h"

namespace alambic {

namespace {

using Role = Ingredient::Role;

// A server's terms are its host's; this machine's and a private network's are the model's, which it
// does not tell.
Ingredient ingredient_of(const Endpoint& endpoint) {
  return {.role = Ingredient::Role::teacher,
          .name = endpoint.name(),
          .host = endpoint.is_private() ? "" : endpoint.host};
}

PolicyQuestion question_of(const std::string& product, const std::string& device) {
  PolicyQuestion question{.product = product, .gpus = list_gpus()};
  question.uses_gpu =
      device.starts_with("cuda") || (device == "auto" && !question.gpus.gpus.empty());
  return question;
}

nlohmann::json verdict_on(const PolicyQuestion& question, const PolicyOptions& options) {
  const PolicyDecision decision = decide(rules_of(options), question, options, today_utc());
  for (const std::string& warning : decision.warnings) warn(warning);
  refuse_unless_permitted(decision);
  return decision.json();
}

// "NAME=FOLDER" or a folder.
std::string folder_of(const std::string& served) {
  const size_t equals = served.find('=');
  return equals == std::string::npos || path_exists(served) ? served : served.substr(equals + 1);
}

Teaching form_of(const Objective& objective) {
  if (objective.hidden) return Teaching::states;
  return objective.compares_tokens() ? Teaching::logits : Teaching::text;
}

}  // namespace

nlohmann::json ask_policy(const PolicyOptions& options, const PolicyCase& about) {
  PolicyQuestion question = question_of(about.out, about.device);
  const auto add = [&](Role role, const std::string& folder) {
    question.ingredients.push_back(ingredient_of(role, as_hub_name(folder), folder));
    question.ingredients.back().form = about.form;
  };
  add(Role::student, about.student);
  for (const NamedFolder& teacher : about.teachers) {
    if (is_endpoint(teacher.folder)) {
      question.ingredients.push_back(ingredient_of(parse_endpoint(teacher.folder)));
      question.ingredients.back().form = about.form;
    } else if (teacher.folder != "self") {
      add(Role::teacher, teacher.folder);
    }
  }
  if (is_endpoint(about.judge)) {
    question.ingredients.push_back(ingredient_of(parse_endpoint(about.judge)));
    question.ingredients.back().form = Teaching::text;
  } else if (!about.judge.empty()) {
    add(Role::teacher, about.judge);
    question.ingredients.back().form = Teaching::text;
  }
  for (const DataSource& source : parse_data_sources(about.data)) add(Role::data, source.name);
  if (!about.held_out.empty()) add(Role::data, about.held_out);
  return verdict_on(question, options);
}

nlohmann::json ask_policy(const DistillOptions& options) {
  return ask_policy(options.policy, {.student = options.student,
                                     .teachers = parse_teachers(options.teachers.teacher),
                                     .data = options.data,
                                     .held_out = options.valid_data,
                                     .judge = options.reward.judge,
                                     .form = form_of(objective_of(options.loss)),
                                     .out = options.run.out,
                                     .device = options.machine.device});
}

void ask_policy(const ServeOptions& options) {
  PolicyQuestion question = question_of("", options.machine.device);
  for (const std::vector<std::string>* list : {&options.models, &options.adapters}) {
    for (const std::string& one : *list) {
      const std::string folder = folder_of(one);
      question.ingredients.push_back(ingredient_of(Role::served, as_hub_name(folder), folder));
    }
  }
  verdict_on(question, options.policy);
}

}  // namespace alambic
