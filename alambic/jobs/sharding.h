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

/// What will have the layers of a model of that name. For load_model (LoadOptions::layers), and
/// then for take_over().
std::shared_ptr<LayerWeights> divided_layers(const ShardGroups& groups, WeightSource source,
                                             const std::string& name);
/// Of a student, as the options say; null where each rank has all layers.
std::shared_ptr<LayerWeights> student_layers(Model& student, const World& world,
                                             const ShardingOptions& options);

/// Takes over what loading has left of the layers. The model answers a fixed prompt: where it was
/// whole before, with the bits of then, and on all ranks with the same ones; else an environment or
/// input error. All ranks call it. `weights` may be null.
void take_over(Model& model, LayerWeights* weights);

/// Numbers of a model of which a rank may have a part of some tensors. `layers`: the model's; null:
/// all are here.
int64_t whole_parameters(Model& model, const LayerWeights* layers);

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
