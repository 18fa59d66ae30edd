// A run's models on its ranks.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "alambic/dist/layer_weights.h"
#include "alambic/jobs/sharding_options.h"
#include "alambic/model/model.h"

namespace alambic {

/// Groups of ranks that share one copy of a model, and what such a copy is to the others.
struct ShardGroups {
  std::shared_ptr<const World> shard;   ///< this rank's
  std::shared_ptr<const World> copies;  ///< the ranks with the same part; null: one copy is all
  bool divides_experts = false;  ///< each rank of `shard` keeps its routed experts for itself
};

/// Input errors: a size that does not divide the ranks.
ShardGroups shard_groups(const World& world, int64_t shard_size);

/// The groups of the ranks that share a model's layers. Where --expert-parallel-size says so and it
/// has routed experts, they divide those. Input errors: sizes that do not divide the ranks, or that
/// are not the same; experts that cannot be divided so. `name` is the model's.
ShardGroups groups_of_model(Model& model, const World& world, const ShardingOptions& options,
                            const std::string& name);

/// Takes the layers of a loaded model over. It answers a fixed prompt before and after: the same
/// bits, or an environment error. All ranks call it.
std::shared_ptr<LayerWeights> share_layers(Model& model, const ShardGroups& groups,
                                           WeightSource source, const std::string& name);

/// The layers of a student, as the options say; null where each rank has all of them.
std::shared_ptr<LayerWeights> share_student(Model& student, const World& world,
                                            const ShardingOptions& options);

/// Ranks that write completions together with this one, each with its part of the student; null:
/// each writes alone. All ranks call it. Input errors: a size that does not divide the ranks; a
/// student that cannot be divided so.
std::shared_ptr<const World> writing_ranks(const World& world, const ShardingOptions& options,
                                           const Model& student);

/// An input error that says why so many ranks cannot write together with this student.
void check_tensor_parallel(const Model& student, int64_t ranks);

/// An input error that says why --expert-parallel-size cannot be with these models: none has
/// experts that are divided, or they cannot be. `teachers`: those whose layers are sharded, by
/// name.
void check_expert_parallel(Model& student, const std::map<std::string, Model*>& teachers,
                           const ShardingOptions& options);

}  // namespace alambic
