#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "alambic/base/free_memory.h"
#include "alambic/base/units.h"
#include "alambic/io/model_folder.h"
#include "alambic/jobs/preflight/model_sizes.h"
#include "alambic/jobs/preflight/preflight.h"
#include "alambic/jobs/student.h"
#include "alambic/kernels/device_packed.h"
#include "alambic/nn/shared_prefixes.h"
#include "alambic/objective/head_chunks.h"
#include "alambic/scale/cache_pages.h"
#include "alambic/scale/grading_pass.h"
#include "alambic/tensor/device.h"
#include "alambic/tensor/view.h"
#include "alambic/text/chat/chat_tokens.h"

namespace alambic {

namespace {

// Of so many tokens in all slots. States of linear attention are wider than `element`, which is for
// what grows with the tokens.
double cache_bytes(const KvCache::Shape& shape, double slots, double tokens, double element) {
  return element * static_cast<double>(shape.numel()) * tokens +
         4 * slots * static_cast<double>(shape.state_numel());
}

// Ranks that share one copy of what is divided.
double ranks_of_copy(const DistillPlan& plan) {
  const int64_t asked = plan.options.sharding.ranks_of_copy();
  return static_cast<double>(asked > 0 ? asked : plan.world->place().local_size);
}

struct WeightBytes {
  double memory = 0, files = 0;

  // Those of a model of which all but the tensors `written` is only read: on a CPU, tensors of the
  // right dtype and blocks stay in their files; on an accelerator blocks stay as they are.
  void add(const MetaModel& meta_model, const std::set<std::string>& written, at::Device device,
           at::ScalarType dtype) {
    const auto folder = ModelFolder::open(meta_model.folder);
    for (const TensorView& view : folder.tensors()) {
      if (written.contains(meta_model.model.model->canonical_name(view.name))) continue;
      const bool stays = kernels::stays_packed(view, dtype, device) ||
                         (device.is_cpu() && view.dtype == dtype_of(dtype));
      const auto numbers = static_cast<double>(count_of(view.shape));
      // The blocks of F4 are put together.
      const bool mapped = stays && device.is_cpu() && view.dtype != Dtype::F4;
      (mapped ? files : memory) += stays ? static_cast<double>(view.bytes.size())
                                         : numbers * static_cast<double>(c10::elementSize(dtype));
    }
  }
  void put(const std::string& name, std::vector<MemoryPart>& plan) const {
    if (memory > 0) plan.push_back({name, memory});
    if (files > 0) plan.push_back({name + " in files", files, true});
  }
};

void add_frozen(std::vector<MemoryPart>& plan, const std::string& name,
                const std::vector<const MetaModel*>& models, at::Device device,
                at::ScalarType dtype) {
  WeightBytes bytes;
  for (const MetaModel* meta_model : models) bytes.add(*meta_model, {}, device, dtype);
  bytes.put(name, plan);
}

// Teachers whose layers come and go: the part that stays here, and two layers that are whole.
void add_divided(std::vector<MemoryPart>& plan, const std::vector<const MetaModel*>& models,
                 double stays, bool experts_stay, at::ScalarType dtype) {
  double bytes = 0;
  for (const MetaModel* meta_model : models) {
    Model& model = *meta_model->model.model;
    const auto element = static_cast<double>(c10::elementSize(dtype));
    const double all = element * static_cast<double>(model.parameters());
    if (experts_stay && !model.routers().empty()) {
      bytes += all * stays + 2 * element * sizes_of(model, "", 1).largest_rest;
      continue;
    }
    bytes += all * (stays + std::min(1.0, 2 / static_cast<double>(model.shape().cache.layers)));
  }
  plan.push_back({"teachers' weights", bytes});
}

// Teachers' own ranks that share one copy of a teacher, on any of the run's ranks.
double teacher_ranks_of_copy(const DistillPlan& job) {
  const int64_t asked = job.options.sharding.ranks_of_copy(), all = job.options.teachers.ranks;
  if (all == 0) return ranks_of_copy(job);
  const int64_t here = job.roles.apart() ? job.roles.all->place().local_size : all;
  return static_cast<double>(std::min(all, asked > 0 ? asked : here));
}

void add_teachers(std::vector<MemoryPart>& plan, const DistillPlan& job) {
  const TeacherOptions& teachers = job.options.teachers;
  const at::ScalarType dtype = teacher_load(teachers, job.load).dtype;
  const std::vector<const MetaModel*> models = job.teacher_models();
  if (teachers.weights == TeacherWeightsChoice::sharded) {
    return add_divided(plan, models, 1 / teacher_ranks_of_copy(job),
                       job.options.sharding.expert_parallel_size > 1, dtype);
  }
  if (teachers.weights == TeacherWeightsChoice::host) {
    return add_divided(plan, models, job.load.device.is_cpu() ? 1 : 0, false, dtype);
  }
  add_frozen(plan, "teachers' weights", models, job.load.device, dtype);
}

// Of teachers on other ranks what the learners have here: heads, and the grades of a micro-batch as
// they come and as they are read.
void add_far_teachers(std::vector<MemoryPart>& plan, const DistillPlan& job, double tokens) {
  const auto element =
      static_cast<double>(c10::elementSize(teacher_load(job.options.teachers, job.load).dtype));
  double heads = 0, widest = 0;
  for (const MetaModel* meta_model : job.teacher_models()) {
    const ModelShape shape = meta_model->model.model->shape();
    const auto width = static_cast<double>(shape.width);
    heads += element * static_cast<double>(meta_model->model.vocabulary) * width;
    widest = std::max(widest, width);
  }
  plan.push_back({"teachers' heads", heads});
  plan.push_back({"grades", 2 * element * tokens * widest});
}

// All of a student that is trained whole is in memory; of one that has an adapter, what is trained.
WeightBytes student_weights(const DistillPlan& plan) {
  Model& student = *plan.student.model.model;
  const auto element = static_cast<double>(c10::elementSize(plan.load.dtype));
  const LoraOptions& lora = plan.options.trainable.lora;
  if (lora.rank == 0) return {.memory = element * static_cast<double>(student.parameters())};
  WeightBytes bytes{.memory = element * static_cast<double>(trained_parameters(student))};
  bytes.add(plan.student, tensors_saved_whole(student, lora), plan.load.device, plan.load.dtype);
  return bytes;
}

// Tokens of a prompt of mean length (of the first 1000) and of a completion at its longest.
struct TypicalLength {
  double prompt, completion;
  double all() const { return prompt + completion; }
};

TypicalLength typical_length(const DistillPlan& plan) {
  double tokens = 0, rows = 0;
  for (const Example row : plan.rows) {
    if (rows == 1000) break;
    tokens += static_cast<double>(prompt_ids(plan.student.model.tokenizer, row).size());
    ++rows;
  }
  const auto positions = static_cast<double>(plan.student.model.model->shape().positions);
  const double prompt = std::min(tokens / rows, positions);
  return {prompt,
          std::min(static_cast<double>(plan.options.max_completion_length), positions - prompt)};
}

// Rows whose activations a learning pass over so many completions keeps: completions of a prompt
// share its pass (nn/shared_prefixes.h), unless dropout draws for each or they are the data's.
double kept_rows(const DistillOptions& options, const TypicalLength& length, double micro) {
  const bool shared = options.trainable.lora.dropout == 0 && options.lmbda == 1 &&
                      length.prompt >= static_cast<double>(shortest_shared_prefix);
  if (!shared) return micro * length.all();
  const auto group = static_cast<double>(options.num_generations);
  const double prompts = std::min(micro, std::ceil((micro + group - 1) / group));
  const double rows = prompts * length.prompt + micro * length.completion;
  return rows + shared_position_cost * (micro * length.all() - rows);
}

// Activations that the layers keep, per token of a sequence. With activation checkpointing: their
// inputs, and the rest of one layer at a time.
double saved_activations(Model& model, double length, bool checkpointing) {
  const ModelShape shape = model.shape();
  const auto layers = static_cast<double>(shape.cache.layers);
  const double all = model.saved_activations(length);
  const auto inputs = layers * static_cast<double>(shape.streams * shape.width);
  return checkpointing ? inputs + all / layers : all;
}

}  // namespace

std::vector<MemoryPart> memory_plan(const DistillPlan& plan) {
  const DistillOptions& options = plan.options;
  const LoadOptions& load = plan.load;
  Model& student = *plan.student.model.model;
  const auto element = static_cast<double>(c10::elementSize(load.dtype));
  const auto trained = static_cast<double>(trained_parameters(student));
  const auto ranks = static_cast<double>(plan.world->size());
  const double completions = std::ceil(static_cast<double>(options.training.batch_size) / ranks) *
                             static_cast<double>(options.num_generations);
  // Ranks that write together have the completions of all of them, and each its part of a cache.
  const auto together = static_cast<double>(options.sharding.tensor_parallel_size);
  const double slots =
      std::min(completions * together, static_cast<double>(options.generation_batch)) / together;
  const auto micro =
      options.training.micro_batch_size > 0
          ? std::min(completions, static_cast<double>(options.training.micro_batch_size))
          : completions;
  const TypicalLength length = typical_length(plan);
  const double tokens = length.all();
  // A device that writes alone has pages.
  const double cached = load.device.is_cpu() || together > 1
                            ? slots * tokens
                            : cached_tokens(slots, static_cast<double>(options.num_generations),
                                            length.prompt, length.completion);
  const int64_t vocabulary = student.shape().vocabulary;
  const double logits = 8.0 * static_cast<double>(vocabulary) *
                        static_cast<double>(chunk_rows({}, static_cast<int64_t>(micro * tokens),
                                                       vocabulary, 2, load.device));
  // Narrow models compute norms, gates and softmaxes in float32 and keep what they need of it.
  const double kept_element = std::max(element, 4.0);
  const double state = element < 4 ? 12 : 8;  // two moments, and a master of narrow weights
  const bool divides = options.sharding.shards_layers();
  std::vector<MemoryPart> auxiliary;
  const std::vector<const MetaModel*> teachers = plan.teacher_models();
  if (options.teachers.ranks > 0) {
    add_far_teachers(auxiliary, plan, micro * length.completion);
  } else {
    add_teachers(auxiliary, plan);
  }
  if (plan.judge) {
    add_frozen(auxiliary, "judge's weights", {&*plan.judge}, load.device, load.dtype);
  }
  if (options.loss.kl_weight > 0) {
    add_frozen(auxiliary, "reference's weights", {&plan.student}, load.device, load.dtype);
  }
  if (!plan.layer_pairs.empty() && teachers.size() == 1) {
    const ModelShape own = student.shape(), other = teachers.front()->model.model->shape();
    const auto pairs = static_cast<double>(plan.layer_pairs.size());
    const auto width = static_cast<double>(other.width);
    // Float32 with its gradient and two moments.
    const double projection =
        own.width == other.width ? 0 : 16 * width * static_cast<double>(own.width);
    auxiliary.push_back({"hidden states", pairs * (projection + element * micro * tokens * width)});
  }
  if (options.completions.by_teacher() || options.loss.teacher_mix > 0) {
    double max = 0;
    const auto most = static_cast<double>(options.generation_batch);
    for (const MetaModel* teacher : teachers) {
      max = std::max(
          max, cache_bytes(teacher->model.model->shape().cache, most, most * tokens, element));
    }
    auxiliary.push_back({"teacher's completions' cache", max});
  }
  std::vector<MemoryPart> parts;
  const WeightBytes loaded = student_weights(plan);
  const ModelSizes sizes = sizes_of(student, plan.student.folder, tokens);
  const bool gathered = options.sharding.stage == ZeroStage::weights;
  const bool divided = divides && options.sharding.expert_parallel_size > 1;
  // Experts that are divided write where they are.
  const double experts = divided ? sizes.experts : 0, rest = sizes.in_layers() - experts;
  const bool never_whole = (gathered || experts > 0) && together > 1;
  if (never_whole) {
    const double layer = divided ? sizes.largest_rest : sizes.largest_layer;
    parts.push_back(
        {"student's weights", element * (sizes.outside + (gathered ? 2 * layer : rest))});
  } else {
    loaded.put("student's weights", parts);
  }
  if (together > 1) {
    parts.push_back({"student's part for writing", element * rest / together});
  }
  parts.insert(parts.end(),
               {{"gradients", divides ? 4 * trained / ranks_of_copy(plan) : element * trained},
                {"optimizer", state * trained / (divides ? ranks_of_copy(plan) : ranks)},
                {"answers' cache", cache_bytes(student.shape().cache, slots, cached, element)},
                {"learning pass",
                 kept_element * kept_rows(options, length, micro) *
                     saved_activations(student, tokens, options.training.activation_checkpointing)},
                {"logits' chunks", logits}});
  if (gathered || experts > 0) {
    const double part = gathered ? static_cast<double>(student.parameters()) : experts;
    parts.push_back({"student's part", element * part / ranks_of_copy(plan)});
  }
  parts.insert(parts.end(), auxiliary.begin(), auxiliary.end());
  return parts;
}

std::vector<MemoryPart> teacher_memory_plan(const DistillPlan& plan) {
  const DistillOptions& options = plan.options;
  const auto element =
      static_cast<double>(c10::elementSize(teacher_load(options.teachers, plan.load).dtype));
  const auto learners = static_cast<double>(plan.roles.apart() ? plan.roles.learners : 1);
  const double completions = static_cast<double>(options.training.batch_size) *
                             static_cast<double>(options.num_generations);
  const double own = std::ceil(completions / learners);
  const auto micro = static_cast<double>(options.training.micro_batch_size);
  const TypicalLength length = typical_length(plan);
  const bool gathered = options.teachers.weights == TeacherWeightsChoice::sharded;
  std::vector<MemoryPart> parts;
  add_teachers(parts, plan);
  double pass = 0, width = 0;
  for (const MetaModel* teacher : plan.teacher_models()) {
    Model& model = *teacher->model.model;
    const ModelShape shape = model.shape();
    const double layer =
        model.saved_activations(length.all()) / static_cast<double>(shape.cache.layers);
    pass = std::max(pass, layer);
    width = std::max(width, static_cast<double>(shape.width));
  }
  const double rows = std::ceil(completions / static_cast<double>(options.teachers.ranks));
  // A pass has one learner's micro-batch at least, and joins some while they are small.
  const double asked = (micro > 0 ? std::min(own, micro) : own) * length.all();
  const auto some =
      static_cast<double>(gathered ? gathered_grading_pass_tokens : grading_pass_tokens);
  const double passing = std::min(std::max(asked, some), rows * length.all());
  const double kept = rows * length.completion * width;
  parts.insert(parts.end(), {{"grading pass", std::max(element, 4.0) * passing * pass},
                             {"grades that are sent", element * kept}});
  return parts;
}

namespace {

constexpr const char* less_for_all =
    "--micro-batch-size, --activation-checkpointing, --generation-batch, --lora-rank or --dtype "
    "bfloat16 need less; the plan is an estimate, --on-too-little-memory warn runs all the same";
constexpr const char* less_for_teachers =
    "--teacher-weights sharded or host, more --teacher-ranks or --teacher-dtype bfloat16 need "
    "less; "
    "the plan is an estimate, --on-too-little-memory warn runs all the same";

// `who` begins the text: which ranks need these parts. `less`: what would need less.
Finding compare_memory(const DistillPlan& plan, const std::vector<MemoryPart>& parts,
                       const std::string& who, const char* less) {
  // Of a CPU's machine, which its ranks share.
  const auto ranks_here = static_cast<double>(plan.roles.all->place().local_size);
  const double available = plan.available_memory / (plan.load.device.is_cpu() ? ranks_here : 1.0);
  double all = 0, files = 0;
  std::vector<std::string> words;
  for (const MemoryPart& part : parts) {
    (part.in_files ? files : all) += part.bytes;
    words.push_back(part.name + " " + human_bytes(part.bytes));
  }
  if (!std::isfinite(available)) {
    return {Level::good, "memory",
            fmt::format("{}about {}, not compared with this device: {}", who,
                        human_bytes(all + files), fmt::join(words, ", ")),
            ""};
  }
  Finding finding{.subject = "memory",
                  .text = fmt::format("{}about {} of {}: {}", who, human_bytes(all + files),
                                      human_bytes(available), fmt::join(words, ", "))};
  if (all > available) {
    finding.level = plan.options.on_too_little_memory == OnTooLittleMemory::warn ? Level::warning
                                                                                 : Level::refused;
    finding.text =
        (who.empty() ? "too little memory: needs " : "too little memory: ") + finding.text;
    finding.hint = less;
  } else if (all > 0.9 * available) {
    finding.level = Level::warning;
    finding.hint = "a smaller --micro-batch-size leaves room";
  } else if (all + files > available) {
    finding.level = Level::warning;
    finding.text = "weights stay in files that do not fit in memory: " + finding.text;
    finding.hint =
        "layers that memory has no room for are read from the disk again at every pass; a smaller "
        "--batch-size means more passes, a quantized GGUF file is smaller";
  }
  return finding;
}

}  // namespace

Findings check_memory(const DistillPlan& plan) {
  const std::vector<MemoryPart> parts = memory_plan(plan);
  if (plan.options.teachers.ranks == 0) return {compare_memory(plan, parts, "", less_for_all)};
  return {compare_memory(plan, parts, "each rank that learns needs ", less_for_all),
          compare_memory(plan, teacher_memory_plan(plan), "each rank that grades needs ",
                         less_for_teachers)};
}

double available_memory(at::Device device) {
  return device.is_cpu() ? free_memory() : free_device_memory(device);
}

}  // namespace alambic
