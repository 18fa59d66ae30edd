#include "alambic/jobs/distill.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/hub/hub_models.h"
#include "alambic/jobs/distill_setup.h"
#include "alambic/jobs/distill_validation.h"
#include "alambic/jobs/grading.h"
#include "alambic/jobs/known_servers.h"
#include "alambic/jobs/policy_gate.h"
#include "alambic/jobs/preflight/preflight.h"
#include "alambic/jobs/rank_observer.h"
#include "alambic/jobs/ranks.h"
#include "alambic/jobs/run_duties.h"
#include "alambic/jobs/run_folder.h"
#include "alambic/jobs/run_length.h"
#include "alambic/jobs/run_provenance.h"
#include "alambic/jobs/run_recorder.h"
#include "alambic/jobs/sharding.h"
#include "alambic/jobs/student.h"
#include "alambic/options/config_toml.h"
#include "alambic/train/trainer.h"

namespace alambic {

namespace {

// The engine stops at the student's context; a teacher with a shorter one must see every
// completion.
void check_teacher_context(const DistillSetup& setup) {
  size_t prompt = 0;
  for (int64_t i = 0; i < setup.examples().size(); ++i) {
    prompt = std::max(prompt, setup.examples()[i].prompt.size());
  }
  const auto longest_prompt = static_cast<int64_t>(prompt);
  const int64_t completion = setup.plan().options.max_completion_length;
  const int64_t teacher = setup.teachers().positions();
  const int64_t longest =
      std::min(longest_prompt + completion, setup.student().model->shape().positions);
  if (longest <= teacher) return;
  throw input_error(
      "the teacher's context of {} is too short: a prompt of {} tokens with a completion of up to "
      "{} has {}",
      teacher, longest_prompt, completion, longest)
      .with_hint(fmt::format("--max-completion-length {} fits", teacher - longest_prompt));
}

ModelCard card_of(const DistillOptions& options, const Metrics& figures,
                  const nlohmann::json& policy) {
  return {.title = fs::path(options.run.out).filename().string() + ", distilled",
          .base_model = options.student,
          .teacher = join(options.teachers.teacher),
          .tags = {"alambic", "distillation"},
          .facts = {{"objective", options.loss.objective},
                    {"share of own completions", fmt::format("{}", options.lmbda)},
                    {"data", join(options.data)}},
          .figures = figures,
          .duties = duties_of(policy),
          .config = config_toml("distill", options, as_hub_name)};
}

/// Everything that a distillation's steps need.
struct Job {
  std::unique_ptr<DistillSetup> setup;
  Validation validation;
  std::unique_ptr<TrainingTask> task;
  int64_t rows = 0;

  Job(const DistillOptions& options, const RankRoles& roles) {
    DistillPlan plan = plan_of_rank(options, roles);
    warn_or_refuse(preflight(plan));
    setup = std::make_unique<DistillSetup>(std::move(plan));
    check_teacher_context(*setup);
    validation = distill_validation(*setup);
    rows = setup->examples().size();
    task = setup->task();
  }
};

// Models beside the student that a validation reads.
std::vector<LayerWeights*> read_layers(const DistillSetup& setup) {
  std::vector<LayerWeights*> layers;
  for (const auto& of_teacher : setup.teachers().layers()) {
    if (of_teacher != setup.plan().layers) layers.push_back(of_teacher.get());
  }
  return layers;
}

RunIngredients ingredients_of(const DistillOptions& options, const DistillSetup& setup,
                              const nlohmann::json& machines, const nlohmann::json& policy) {
  return {.command = "distill",
          .options = options,
          .hardware = machines,
          .student = options.student,
          .teachers = parse_teachers(options.teachers.teacher),
          .grades = setup.plan().objective.asks_teachers(),
          .reward = options.reward,
          .lora = options.trainable.lora,
          .data = options.data,
          .rows = static_cast<int64_t>(setup.plan().rows.size()),
          .shares = setup.plan().rows.shares(),
          .held_out = options.valid_data,
          .seed = options.training.seed,
          .on_cpu = setup.plan().load.device.is_cpu(),
          .precision = at::toString(setup.plan().load.dtype),
          .parameters = static_cast<double>(
              whole_parameters(*setup.student().model, setup.plan().layers.get())),
          .policy = policy,
          .written = setup.written(),
          .run = options.run};
}

}  // namespace

RunResult jobs::distill(const DistillOptions& options, Recorder* observer) {
  const std::shared_ptr<const World> all =
      join_ranks("distill", options, options.sharding.rank_timeout);
  RankObserver observes(all, options.sharding);
  const RankRoles roles = rank_roles(all, options.teachers.ranks);
  const nlohmann::json policy = ask_policy(options);
  if (roles.grades()) return grade_for_learners(options, roles, observes);
  const std::shared_ptr<const World>& world = roles.own;
  const Job job(options, roles);
  DistillSetup& setup = *job.setup;
  const TrainingOptions training =
      with_steps(options.training, job.rows, options.loss.num_iterations);

  const RunFolder folder("distill", options, options.run, *world);
  const nlohmann::json machines = hardware_of_ranks(roles);
  std::optional<RunProvenance> provenance;
  if (folder.writes()) {
    keep_known_servers(folder, setup.teachers().servers(), options);
    provenance.emplace(folder, ingredients_of(options, setup, machines, policy), observer);
  }
  const std::unique_ptr<Recorder> recorder =
      run_recorder(folder, provenance ? &*provenance : observer);
  CollapseWatch watch(static_cast<double>(options.max_completion_length));
  const TrainingResult trained =
      alambic::train(training,
                     {.student = *setup.student().model,
                      .task = *job.task,
                      .recorder = *recorder,
                      .validate = job.validation.figures,
                      .write_validation = job.validation.write,
                      .checkpoints = folder.checkpoints(),
                      .watch = &watch,
                      .on_collapse = options.on_collapse,
                      .history = folder.resumes() ? figures_so_far(folder) : std::vector<Metrics>(),
                      .world = world,
                      .layers = setup.plan().layers,
                      .on_phase = observes.on_phase(),
                      .read_layers = read_layers(setup)},
                     folder.resumes());
  observes.write(folder.path());
  RunResult result = run_result(trained);
  if (!trained.collapse.empty() && options.on_collapse == OnCollapse::stop) {
    result.ending = RunEnding::collapsed;
  }
  const std::shared_ptr<TeacherRanks>& teachers = setup.plan().teacher_ranks;
  if (teachers) teachers->end(static_cast<int64_t>(result.ending));
  if (result.ending != RunEnding::finished) {
    if (provenance) provenance->finish(result);
    return result;
  }
  LayerWeights* const layers = setup.plan().layers.get();
  if (!provenance) {  // rank 0 writes the model
    accompany_export(layers, options.trainable);
    return result;
  }
  export_student(setup.student(), options.student, options.trainable, folder.path(),
                 card_of(options, result.validation, policy), options.run.save_dtype, layers);
  setup.plan().chats.save_to(folder.model());
  provenance->finish(result);
  result.model = folder.model();
  return result;
}

}  // namespace alambic
