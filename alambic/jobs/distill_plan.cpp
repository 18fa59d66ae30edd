#include "alambic/jobs/distill_plan.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/jobs/distill_checks.h"
#include "alambic/jobs/preflight/preflight.h"
#include "alambic/jobs/ranks.h"
#include "alambic/jobs/remote_teachers.h"
#include "alambic/jobs/sharding.h"
#include "alambic/jobs/student.h"
#include "alambic/kernels/device_fp8.h"
#include "alambic/tensor/device.h"
#include "alambic/text/tokenizer/load_tokenizer.h"
#include "alambic/train/hidden_layers.h"

namespace alambic {

namespace {

MetaModel meta_model(const std::string& folder, LoadOptions load) {
  load.on_meta = true;
  return {.folder = folder, .model = from_pretrained(folder, load)};
}

std::vector<PlannedTeacher> plan_teachers(const TeacherOptions& options, const LoadOptions& load) {
  const std::vector<NamedFolder> sources = parse_teachers(options.teacher);
  const std::vector<double> shares = parse_shares(options.weight, sources);
  std::vector<PlannedTeacher> teachers;
  for (size_t i = 0; i < sources.size(); ++i) {
    PlannedTeacher& teacher = teachers.emplace_back(PlannedTeacher{.source = sources[i]});
    if (!shares.empty()) teacher.share = shares[i];
    const bool has_weights = sources[i].folder != "self" && !is_endpoint(sources[i].folder);
    if (options.activation_scheme != ActivationScheme::none && !has_weights) {
      throw input_error("--teacher-activation-scheme has no effect with --teacher {}",
                        sources[i].folder)
          .with_hint("it is of a teacher's own folder with FP8 weights");
    }
    if (is_endpoint(sources[i].folder)) {
      teacher.endpoint = parse_endpoint(sources[i].folder);
    } else if (sources[i].folder != "self") {
      teacher.model = meta_model(sources[i].folder, load);
    }
  }
  return teachers;
}

// With what --lmbda and --completions-by need of a row of plain text.
Examples open_rows(const DistillOptions& options, const ChatSource& chats) {
  const bool prompts = options.lmbda == 1 || options.completions.by_teacher();
  const Fields fields = prompts ? Fields{"prompt"} : Fields{"prompt", "completion"};
  return {Dataset::open(parse_data_sources(options.data), parse_columns(options.data_form.columns)),
          {fields, Fields{"messages"}},
          chats.reader(prompts ? ChatUse::prompts : ChatUse::completions)};
}

std::vector<LayerPair> pair_layers(const DistillPlan& plan) {
  if (!plan.objective.hidden) return {};
  const PlannedTeacher& teacher = plan.teachers.front();
  const Pretrained& student = plan.student.model;
  const Pretrained& other = teacher.model ? teacher.model->model : student;
  return hidden_layers(plan.options.loss, student.model->shape().cache.layers,
                       other.model->shape().cache.layers);
}

EngineOptions engine_of(const DistillPlan& plan) {
  const DistillOptions& options = plan.options;
  const Pretrained& student = plan.student.model;
  EngineOptions engine{.sampling = options.sampling,
                       .stop_tokens = student.stop_tokens,
                       .vocabulary = student.vocabulary,
                       .batch = options.generation_batch,
                       .seed = static_cast<uint64_t>(options.training.seed)};
  engine.sampling.max_new_tokens = options.max_completion_length;
  plan.chats.add_end_of_turn(student.tokenizer, engine.stop_tokens);
  return engine;
}

// The teachers here whose layers lie on several ranks.
std::map<std::string, Model*> sharded_teachers(const DistillPlan& plan) {
  std::map<std::string, Model*> sharded;
  if (plan.options.teachers.weights != TeacherWeightsChoice::sharded) return sharded;
  for (const MetaModel* teacher : plan.teacher_models()) {
    sharded[teacher->folder] = teacher->model.model.get();
  }
  return sharded;
}

}  // namespace

// Members are made in the order in which they are declared.
DistillPlan::DistillPlan(const DistillOptions& given)
    : options(given),
      objective(check_options(options)),
      load(prepare_machine(options.machine)),
      available_memory(alambic::available_memory(load.device)),
      student(meta_model(options.student, load_for(options.trainable, load))),
      chats(options.student, student.model.tokenizer, options.chat),
      teachers(plan_teachers(options.teachers, load)),
      averaged(!options.teachers.weight.empty()),
      rows(open_rows(options, chats)) {
  objective.policy.temperature = options.sampling.temperature;
  select_trained(*student.model.model, options.trainable, 0);
  check_tensor_parallel(*student.model.model, options.sharding.tensor_parallel_size);
  check_expert_parallel(*student.model.model, sharded_teachers(*this), options.sharding);
  rows.check();
  chats.check_effect(rows.name());
  for (PlannedTeacher& teacher : teachers) {
    const std::string& far = options.teachers.remote.tokenizer;
    if (teacher.model) {
      teacher.difference =
          describe_difference(student.model.tokenizer, teacher.model->model.tokenizer,
                              "the student", teacher.model->folder);
    } else if (teacher.endpoint && !far.empty()) {
      teacher.difference =
          describe_difference(student.model.tokenizer, load_tokenizer(far), "the student", far);
    }
  }
  if (!options.reward.judge.empty() && !is_endpoint(options.reward.judge))
    judge = meta_model(options.reward.judge, load);
  budget = budget_of(options.teachers.remote);
  layer_pairs = pair_layers(*this);
  engine = engine_of(*this);
}

bool DistillPlan::loads_teachers() const {
  if (objective.asks_teachers()) return true;
  const auto is_far = [](const PlannedTeacher& teacher) { return teacher.endpoint.has_value(); };
  if (std::ranges::any_of(teachers, is_far)) return false;
  const bool comparable = options.teachers.cross_tokenizer != CrossTokenizer::none ||
                          alike_models().size() == teacher_models().size();
  return !options.valid_data.empty() && comparable;
}

std::vector<const MetaModel*> DistillPlan::teacher_models() const {
  std::vector<const MetaModel*> models;
  for (const PlannedTeacher& teacher : teachers) {
    if (teacher.model) models.push_back(&*teacher.model);
  }
  return models;
}

std::vector<const MetaModel*> DistillPlan::alike_models() const {
  std::vector<const MetaModel*> models;
  for (const PlannedTeacher& teacher : teachers) {
    if (teacher.model && teacher.difference.empty()) models.push_back(&*teacher.model);
  }
  return models;
}

DistillPlan plan_of_rank(const DistillOptions& options, const RankRoles& roles) {
  DistillOptions of_rank = options;
  of_rank.machine.threads = threads_of_rank(*roles.all, options.machine.threads);
  DistillPlan plan(of_rank);
  plan.roles = roles;
  plan.world = roles.own;
  if (roles.apart() && !roles.grades()) {
    plan.teacher_ranks = std::make_shared<TeacherRanks>(roles.all, roles.learners);
  }
  return plan;
}

namespace {

void check_fp8_products(const LoadOptions& load) {
  const std::string fault = kernels::on_device::fp8_products_fault(load.device);
  if (!fault.empty()) {
    throw input_error("--teacher-activation-scheme dynamic: device {} does not multiply FP8: {}",
                      load.device.str(), fault)
        .with_hint(
            "cards of compute capability 9.0 do (H100, H200); without the option FP8 weights are "
            "decoded for each product");
  }
  if (load.dtype != at::kBFloat16) {
    throw input_error("--teacher-activation-scheme dynamic makes bfloat16, and the teachers are {}",
                      at::toString(load.dtype))
        .with_hint("--teacher-dtype bfloat16");
  }
}

}  // namespace

LoadOptions teacher_load(const TeacherOptions& options, LoadOptions load) {
  if (options.dtype != DtypeChoice::automatic)
    load.dtype = choose_dtype(options.dtype, load.device);
  load.fp8_products = options.activation_scheme == ActivationScheme::dynamic;
  if (load.fp8_products) check_fp8_products(load);
  return load;
}

}  // namespace alambic
