#include "alambic/jobs/sharding.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/sha256.h"
#include "alambic/model/divided_experts.h"
#include "alambic/nn/dense_parts.h"
#include "alambic/nn/layer_of_name.h"
#include "alambic/nn/recompute.h"

namespace alambic {

namespace {

// What a model computes of a fixed prompt.
Tensor canary(const Model& model, at::Device device, LayerWeights* weights) {
  const at::NoGradGuard no_grad;
  const ModelShape shape = model.shape();
  std::vector<int32_t> tokens(static_cast<size_t>(std::min<int64_t>(8, shape.positions)));
  for (size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<int32_t>(static_cast<int64_t>(7 * i + 1) % shape.vocabulary);
  }
  const Packed prompt = pack({tokens}, device);
  const WithWeights scope(weights);
  return model.hidden(Pass(prompt));
}

}  // namespace

ShardGroups shard_groups(const World& world, int64_t shard_size) {
  const int64_t size = shard_size > 0 ? shard_size : world.place().local_size;
  if (size > world.size() || world.size() % size != 0) {
    throw input_error("--shard-size {} does not divide the {} ranks", size, world.size());
  }
  ShardGroups groups{.shard = world.group(size)};
  if (size < world.size()) groups.copies = world.across_groups(size);
  return groups;
}

namespace {

constexpr const char* dividing_experts = "--expert-parallel-size";

Error cannot_divide(int64_t ranks, const std::string& name, const std::string& reason) {
  return input_error("{} {}: the experts of {} cannot be divided so: {}", dividing_experts, ranks,
                     name, reason);
}

}  // namespace

ShardGroups groups_of_model(Model& model, const World& world, const ShardingOptions& options,
                            const std::string& name) {
  const int64_t ranks = options.expert_parallel_size;
  if (ranks > 1 && world.size() % ranks != 0) {
    throw input_error("{} {} does not divide the {} ranks", dividing_experts, ranks, world.size());
  }
  ShardGroups groups = shard_groups(world, options.ranks_of_copy());
  if (ranks == 1 || model.routers().empty()) return groups;
  const std::string reason = undivided_experts(model, ranks);
  if (!reason.empty()) throw cannot_divide(ranks, name, reason);
  groups.divides_experts = true;
  return groups;
}

std::shared_ptr<LayerWeights> divided_layers(const ShardGroups& groups, WeightSource source,
                                             const std::string& name) {
  return std::make_shared<LayerWeights>(groups.shard, source, name, groups.copies,
                                        groups.divides_experts);
}

std::shared_ptr<LayerWeights> student_layers(Model& student, const World& world,
                                             const ShardingOptions& options) {
  if (!options.shards_layers()) return nullptr;
  const WeightSource source =
      options.stage == ZeroStage::weights ? WeightSource::gathered : WeightSource::resident;
  return divided_layers(groups_of_model(student, world, options, "the student"), source,
                        "the student");
}

namespace {

void require_canary(const Tensor& before, const Tensor& now, const LayerWeights& weights) {
  if (before.equal(now)) return;
  throw environment_error("{} computes something else with its layers on {} ranks", weights.model(),
                          weights.world().size())
      .with_hint("memory or network of one of the machines changes bits");
}

}  // namespace

void take_over(Model& model, LayerWeights* weights) {
  if (weights == nullptr) return;
  const bool whole = weights->groups().empty(), divides = weights->divides_experts();
  std::vector<LayerTensor> tensors;
  at::Device device = at::kCPU;
  model.visit(of_dense([&](const std::string& tensor, Tensor& place) {
    if (place.is_meta()) return;
    device = place.device();
    if (weights->find(place).first != nullptr) return;
    tensors.push_back({.layer = layer_of_name(tensor),
                       .name = tensor,
                       .tensor = place,
                       .division = divides ? division_of(tensor) : LayerTensor::Division::none});
  }));
  const Tensor before = whole ? canary(model, device, nullptr) : Tensor();
  weights->add(tensors);
  if (divides) {
    exchange_tokens(model, *weights, weights->ranks());
    // Products over other ranks' rows too may round otherwise: what is compared are the weights.
    if (!whole) return weights->verify();
    const HeldWeights all(weights);
    return require_canary(before, canary(model, device, nullptr), *weights);
  }
  const Tensor now = canary(model, device, weights);
  if (whole) require_canary(before, now, *weights);
  const Tensor read = now.cpu().contiguous();
  const std::string bits(static_cast<const char*>(read.const_data_ptr()), read.nbytes());
  weights->world().require_equal(sha256(bits), "first results of " + weights->model());
}

int64_t whole_parameters(Model& model, const LayerWeights* layers) {
  int64_t count = model.parameters();
  if (layers == nullptr) return count;
  for (const auto& group : layers->groups()) {
    for (int64_t i = 0; i < group->size(); ++i) {
      count += c10::multiply_integers(group->shape(i)) - group->tensor(i).numel();
    }
  }
  return count;
}

void check_tensor_parallel(const Model& student, int64_t ranks) {
  if (ranks == 1) return;
  const std::string reason = student.undivided(ranks);
  if (reason.empty()) return;
  throw input_error("--tensor-parallel-size {}: a {} student cannot be divided so: {}", ranks,
                    student.config.value("model_type", "\"\""), reason)
      .with_hint("without it each rank writes its completions with the whole student");
}

void check_expert_parallel(Model& student, const std::map<std::string, Model*>& teachers,
                           const ShardingOptions& options) {
  const int64_t ranks = options.expert_parallel_size;
  if (ranks == 1) return;
  if (options.shard_size > 0 && options.shard_size != ranks) {
    throw input_error(
        "{} {} is not --shard-size {}: the ranks that share one copy of a model divide its experts",
        dividing_experts, ranks, options.shard_size)
        .with_hint("--shard-size can be left out");
  }
  bool any = false;
  const auto look = [&](Model& model, const std::string& name) {
    if (model.routers().empty()) return;
    any = true;
    const std::string reason = undivided_experts(model, ranks);
    if (!reason.empty()) throw cannot_divide(ranks, name, reason);
  };
  for (const auto& [name, model] : teachers) look(*model, name);
  if (options.shards_layers()) {
    look(student, "the student");
    const int64_t together = options.tensor_parallel_size;
    if (!student.routers().empty() && together != 1 && together != ranks) {
      throw input_error(
          "{} {} is not --tensor-parallel-size {}: ranks that write together do so "
          "with the experts that they have",
          dividing_experts, ranks, together);
    }
  }
  if (any) return;
  const bool needs_stage = !student.routers().empty();
  throw input_error("{} {} has no effect: {}", dividing_experts, ranks,
                    needs_stage ? "every rank has the whole student"
                                : "neither the student nor a sharded teacher has routed experts")
      .with_hint(needs_stage ? "--zero-stage 2 or 3 divides it"
                             : "--teacher-weights sharded divides those of a teacher");
}

std::shared_ptr<const World> writing_ranks(const World& world, const ShardingOptions& options,
                                           const Model& student) {
  const int64_t size = options.tensor_parallel_size;
  if (size == 1) return nullptr;
  if (size > world.size() || world.size() % size != 0) {
    throw input_error("--tensor-parallel-size {} does not divide the {} ranks", size, world.size());
  }
  check_tensor_parallel(student, size);
  return world.group(size);
}

}  // namespace alambic
