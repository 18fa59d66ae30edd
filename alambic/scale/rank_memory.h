// Bytes that one device must hold.
#pragma once

#include <string>
#include <vector>

#include "alambic/scale/scale_job.h"

namespace alambic {

struct RankBytes {
  std::string name;
  double bytes = 0;
};

/// Parts of a device's memory. Float32 masters (of narrower weights) and moments, gradients,
/// weights as the stage of ZeRO shards them (arXiv 1910.02054, §5); of what is sharded two layers
/// are whole at a time, and while completions are written the whole student is, or a device's part
/// of all layers where several write together.
std::vector<RankBytes> memory_of_rank(const ScaleJob& job);

/// Of a device with the teacher alone: its weights, two layers' activations of a micro-pass, and
/// what it has found out of a step until the learners have it. No parts where all devices have
/// both.
std::vector<RankBytes> memory_of_teacher_rank(const ScaleJob& job);

double total(const std::vector<RankBytes>& parts);

/// Bytes of a node's own memory that its ranks use: a teacher's weights that are kept there.
double host_memory_of_node(const ScaleJob& job);

/// Share of a device's memory that a plan may fill: allocators and libraries need the rest.
inline constexpr double usable_memory = 0.9;

}  // namespace alambic
