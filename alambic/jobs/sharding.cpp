#include "alambic/jobs/sharding.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/sha256.h"
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

std::shared_ptr<LayerWeights> divided_layers(const ShardGroups& groups, WeightSource source,
                                             const std::string& name) {
  return std::make_shared<LayerWeights>(groups.shard, source, name, groups.copies);
}

std::shared_ptr<LayerWeights> student_layers(const World& world, const ShardingOptions& options) {
  if (!options.shards_layers()) return nullptr;
  const WeightSource source =
      options.stage == ZeroStage::weights ? WeightSource::gathered : WeightSource::resident;
  return divided_layers(shard_groups(world, options.shard_size), source, "the student");
}

void take_over(Model& model, LayerWeights* weights) {
  if (weights == nullptr) return;
  const bool whole = weights->groups().empty();
  std::vector<LayerTensor> tensors;
  at::Device device = at::kCPU;
  model.visit(of_dense([&](const std::string& tensor, Tensor& place) {
    if (place.is_meta()) return;
    device = place.device();
    if (weights->find(place).first != nullptr) return;
    tensors.push_back({.layer = layer_of_name(tensor), .name = tensor, .tensor = place});
  }));
  const Tensor before = whole ? canary(model, device, nullptr) : Tensor();
  weights->add(tensors);
  const Tensor now = canary(model, device, weights).cpu().contiguous();
  if (whole && !before.cpu().equal(now)) {
    throw environment_error("{} computes something else with its layers on {} ranks",
                            weights->model(), weights->world().size())
        .with_hint("memory or network of one of the machines changes bits");
  }
  const std::string bits(static_cast<const char*>(now.const_data_ptr()), now.nbytes());
  weights->world().require_equal(sha256(bits), "first results of " + weights->model());
}

void check_tensor_parallel(const Model& student, int64_t ranks) {
  if (ranks == 1) return;
  const std::string reason = student.undivided(ranks);
  if (reason.empty()) return;
  throw input_error("--tensor-parallel-size {}: a {} student cannot be divided so: {}", ranks,
                    student.config.value("model_type", "\"\""), reason)
      .with_hint("without it each rank writes its completions with the whole student");
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
