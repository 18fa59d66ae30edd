#include "alambic/jobs/preflight/machine_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <map>

#include "alambic/base/error.h"
#include "alambic/base/json_object.h"
#include "alambic/base/units.h"
#include "alambic/jobs/preflight/model_sizes.h"
#include "alambic/jobs/sharding.h"
#include "alambic/jobs/student.h"
#include "alambic/jobs/teacher_options.h"
#include "alambic/model/families.h"

namespace alambic {

namespace {

// Of the folder its config.json alone, so that a plan needs no weights.
std::unique_ptr<Model> model_of(const std::string& folder) {
  const fs::path file = fs::path(folder) / "config.json";
  return make_model(read_json_object(file), file.string());
}

double element_of(DtypeChoice dtype) { return dtype == DtypeChoice::float32 ? 4 : 2; }

std::string parts_text(const std::vector<RankBytes>& memory) {
  std::vector<std::string> parts;
  for (const RankBytes& part : memory) parts.push_back(part.name + " " + human_bytes(part.bytes));
  return fmt::format("{}", fmt::join(parts, ", "));
}

Finding memory_of(const ScalePlan& plan) {
  Finding finding{
      .subject = "memory",
      .text = fmt::format("{} of a device's {}: {}", human_bytes(total(plan.memory)),
                          human_bytes(plan.job.device.memory), parts_text(plan.memory))};
  if (!plan.teacher_memory.empty()) {
    finding.text +=
        fmt::format("; of one with the teacher {}: {}", human_bytes(total(plan.teacher_memory)),
                    parts_text(plan.teacher_memory));
  }
  if (const double host = host_memory_of_node(plan.job); host > 0) {
    finding.text += fmt::format("; and {} of each node's own", human_bytes(host));
  }
  if (plan.fits) return finding;
  const bool student = total(plan.memory) >= total(plan.teacher_memory);
  const auto largest =
      std::ranges::max_element(student ? plan.memory : plan.teacher_memory, {}, &RankBytes::bytes);
  finding.level = Level::refused;
  finding.text = "does not fit, however it is sharded: " + finding.text;
  finding.hint = fmt::format(
      "{} are the most; more devices, --lora-rank, a smaller --max-completion-length or "
      "--batch-size need less",
      largest->name);
  return finding;
}

Finding layout_of(const ScalePlan& plan) {
  const ScaleLayout& layout = plan.job.layout;
  std::string text = fmt::format("{} devices, {} a node: ZeRO stage {}", layout.devices,
                                 layout.node(), layout.zero_stage);
  if (layout.zero_stage > 1) text += fmt::format(" over {} ranks", layout.shard);
  if (layout.tensor_parallel > 1) {
    text += fmt::format(", completions by {} together (--tensor-parallel-size {})",
                        layout.tensor_parallel, layout.tensor_parallel);
  }
  if (layout.expert_parallel > 1) {
    text += fmt::format(", experts divided (--expert-parallel-size {})", layout.expert_parallel);
  }
  if (layout.teacher != TeacherWeights::none) {
    text += fmt::format(", teacher {}", name_of(layout.teacher));
  }
  if (layout.teacher_devices > 0) {
    text += fmt::format(" on {} of its own, {} learn", layout.teacher_devices, layout.learners());
  }
  const double passes = plan.job.work.micro_passes;
  if (passes > 1) text += fmt::format(", {:.0f} micro-batches a rank", passes);
  return {Level::good, "layout", text, ""};
}

std::string advice(const ScalePlan& plan, const PhaseSeconds& most) {
  if (most.traffic > most.compute) {
    return "messages between the ranks take most of it: more tokens for each device (--batch-size, "
           "--num-generations), or of a model with routed experts --expert-parallel-size";
  }
  if (most.name == "generate") {
    return "writing completions waits for the weights: more completions side by side "
           "(--batch-size, "
           "--generation-batch) cost little more, a smaller --max-completion-length less, and of "
           "few completions --tensor-parallel-size reads a part of the weights on each device";
  }
  if (most.name == "grade") {
    return "the teacher's forward pass: a smaller teacher, or its grades kept by --teacher-cache "
           "where completions are given";
  }
  return plan.job.work.recompute
             ? "the student's passes: without --activation-checkpointing a fourth less where "
               "memory "
               "allows it, and an adapter (--lora-rank) a third less"
             : "the student's passes: an adapter (--lora-rank) takes a third less";
}

Finding time_of(const ScalePlan& plan) {
  std::vector<std::string> phases;
  const PhaseSeconds* most = plan.time.phases.data();
  for (const PhaseSeconds& phase : plan.time.phases) {
    phases.push_back(fmt::format("{} {:.2g} s", phase.name, phase.all));
    if (phase.all > most->all) most = &phase;
  }
  return {Level::good, "time",
          fmt::format("a step takes about {:.2g} s, {} tokens/s: {}; most of it {}",
                      plan.time.seconds, human_count(plan.time.tokens_per_second),
                      fmt::join(phases, ", "), plan.time.dominant),
          advice(plan, *most)};
}

Finding traffic_of_rank(const ScalePlan& plan) {
  double bytes = 0, seconds = 0;
  std::vector<std::string> parts;
  for (const Traffic& message : traffic_of(plan.job)) {
    bytes += message.bytes;
    seconds += seconds_of(message, plan.job.device);
    parts.push_back(message.name + " " + human_bytes(message.bytes));
  }
  return {Level::good, "messages",
          fmt::format("a rank receives {} a step, {:.2g} s alone{}{}", human_bytes(bytes), seconds,
                      parts.empty() ? "" : ": ", fmt::join(parts, ", ")),
          ""};
}

// Stage and places that are not given are chosen so that experts can be divided.
void check_divided_experts(Model& student,
                           const std::map<std::string, std::unique_ptr<Model>>& teachers,
                           const DistillOptions& options, int64_t learners) {
  ShardingOptions sharding = options.sharding;
  if (sharding.stage == ZeroStage::automatic) sharding.stage = ZeroStage::weights;
  const TeacherWeightsChoice weights = options.teachers.weights;
  std::map<std::string, Model*> sharded;
  if (weights == TeacherWeightsChoice::automatic || weights == TeacherWeightsChoice::sharded) {
    for (const auto& [name, model] : teachers) sharded[name] = model.get();
  }
  check_expert_parallel(student, sharded, sharding);
  const int64_t apart = sharding.expert_parallel_size;
  if (learners % apart == 0) return;
  throw input_error("--expert-parallel-size {} does not divide the {} ranks that learn", apart,
                    learners);
}

}  // namespace

double bytes_of_text(const std::string& text, const std::string& where) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  std::string unit(rest, end);
  std::ranges::transform(unit, unit.begin(), [](unsigned char c) { return std::toupper(c); });
  constexpr std::pair<const char*, double> units[] = {
      {"", 1},      {"B", 1},         {"GB", 1e9}, {"G", 1e9},
      {"TB", 1e12}, {"GIB", 1 << 30}, {"MB", 1e6}, {"MIB", 1 << 20}};
  const auto* known = std::ranges::find(units, unit, &std::pair<const char*, double>::first);
  if (error != std::errc() || known == std::end(units) || number <= 0) {
    throw input_error("{}: expected a size as 141GB or 80GiB, found '{}'", where, text);
  }
  return number * known->second;
}

ScaleJob scale_job(const DistillOptions& options, const PlannedMachine& machine) {
  const double length = static_cast<double>(machine.prompt_length + options.max_completion_length);
  const auto student = model_of(options.student);
  select_trained(*student, options.trainable, 0);
  ScaleJob job{.device = device_kind(machine.accelerator),
               .student = sizes_of(*student, options.student, length)};
  std::map<std::string, std::unique_ptr<Model>> teachers;
  for (const NamedFolder& teacher : parse_teachers(options.teachers.teacher)) {
    if (teacher.folder == "self") continue;
    const auto& model = teachers[teacher.folder] = model_of(teacher.folder);
    const ModelSizes sizes = sizes_of(*model, teacher.folder, length);
    if (sizes.parameters > job.teacher.parameters) job.teacher = sizes;
  }
  if (!machine.device_memory.empty()) {
    job.device.memory = bytes_of_text(machine.device_memory, "--device-memory");
  }
  const int64_t devices = machine.world_size;
  const int64_t nodes = machine.nodes > 0 ? machine.nodes : (devices + 7) / 8;
  if (devices % nodes != 0) {
    throw input_error("--world-size {} is not a multiple of --nodes {}", devices, nodes);
  }
  const auto completions = static_cast<double>(options.training.batch_size) *
                           static_cast<double>(options.num_generations);
  const DtypeChoice teacher_dtype = options.teachers.dtype == DtypeChoice::automatic
                                        ? options.machine.dtype
                                        : options.teachers.dtype;
  const auto micro = static_cast<double>(options.training.micro_batch_size);
  const int64_t learners = devices - options.teachers.ranks;
  if (learners < 1) {
    throw input_error("--teacher-ranks {} leaves none of --world-size {} to learn",
                      options.teachers.ranks, devices);
  }
  if (const int64_t together = options.sharding.tensor_parallel_size; learners % together != 0) {
    throw input_error("--tensor-parallel-size {} does not divide the {} ranks that write", together,
                      learners);
  }
  check_tensor_parallel(*student, options.sharding.tensor_parallel_size);
  check_divided_experts(*student, teachers, options, learners);
  const double rows = completions / static_cast<double>(learners);
  job.work = {.completions = completions,
              .prompt = static_cast<double>(machine.prompt_length),
              .completion = static_cast<double>(options.max_completion_length),
              .shared = static_cast<double>(options.num_generations),
              .micro_passes = micro > 0 ? std::max(1.0, std::ceil(rows / micro)) : 1,
              .slots = static_cast<double>(options.generation_batch),
              .recompute = options.training.activation_checkpointing,
              .element = element_of(options.machine.dtype),
              .teacher_element = element_of(teacher_dtype)};
  job.layout = {
      .devices = devices, .per_node = devices / nodes, .teacher_devices = options.teachers.ranks};
  return job;
}

LayoutChoice layout_choice(const DistillOptions& options) {
  LayoutChoice choice;
  switch (options.sharding.stage) {
    case ZeroStage::automatic:
      break;
    case ZeroStage::optimizer:
      choice.zero_stage = 1;
      break;
    case ZeroStage::gradients:
      choice.zero_stage = 2;
      break;
    case ZeroStage::weights:
      choice.zero_stage = 3;
      break;
  }
  if (options.sharding.shard_size > 0) choice.shard = options.sharding.shard_size;
  if (const int64_t together = options.sharding.tensor_parallel_size; together > 1) {
    choice.tensor_parallel = together;
  }
  if (const int64_t apart = options.sharding.expert_parallel_size; apart > 1) {
    choice.expert_parallel = apart;
  }
  switch (options.teachers.weights) {
    case TeacherWeightsChoice::automatic:
      break;
    case TeacherWeightsChoice::resident:
      choice.teacher = TeacherWeights::resident;
      break;
    case TeacherWeightsChoice::sharded:
      choice.teacher = TeacherWeights::sharded;
      break;
    case TeacherWeightsChoice::host:
      choice.teacher = TeacherWeights::host;
      break;
  }
  return choice;
}

Findings findings_of(const ScalePlan& plan) {
  return {layout_of(plan), memory_of(plan), traffic_of_rank(plan), time_of(plan)};
}

}  // namespace alambic
