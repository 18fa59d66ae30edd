// Layers whose heads and inner columns are divided between ranks while completions are written:
// tensor parallelism (Megatron-LM, Shoeybi et al., arXiv 1909.08053). A block's part is a block of
// its own kind with fewer of them (Mixer::part, FeedForward::part), which knows no other rank; what
// the parts return is added up, once for each block.
#pragma once

#include <memory>

#include "alambic/dist/world.h"
#include "alambic/nn/mlp.h"
#include "alambic/nn/self_attention.h"

namespace alambic {

/// Messages between the ranks of a group, by what World::received names them.
inline constexpr const char* adding_heads = "adding up heads of attention";
inline constexpr const char* adding_columns = "adding up columns of MLPs";

/// A block of which each rank of the group has a part. All ranks run it on the same inputs, without
/// gradients, and get the same bits: the sum in float32 of what the parts return, rounded once.
std::unique_ptr<Mixer> added_up(std::unique_ptr<Mixer> part, std::shared_ptr<const World> group);
std::unique_ptr<FeedForward> added_up(std::unique_ptr<FeedForward> part,
                                      std::shared_ptr<const World> group);

}  // namespace alambic
