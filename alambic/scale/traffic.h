// Bytes that the ranks of a job tell each other in a step.
#pragma once

#include <string>
#include <vector>

#include "alambic/scale/scale_job.h"

namespace alambic {

/// Phase of a step beside which a message may travel.
enum class Beside { generate, grade, learn, update };

struct Traffic {
  std::string name;
  double bytes = 0;  ///< received by each rank in a step
  Beside beside = Beside::learn;
  double ranks = 1;      ///< that take part in each exchange
  double exchanges = 1;  ///< in a step, each with its latency
  bool between_nodes = false;
  bool from_host = false;  ///< out of the node's memory, not from other ranks
  bool at_once = false;    ///< small: all ranks tell all others, with one latency
};

/// The messages of a step, by the formulas of ZeRO's paper (arXiv 1910.02054, §7): of R ranks one
/// receives (R − 1)/R of what is gathered or reduced and scattered, and twice that of an
/// all-reduce. With W bytes of weights and G of gradients in float32, and m micro-passes:
///   stages 0, 1: an all-reduce of G; in stage 1 a gather of W
///   stage 2: m reduce-scatters of the layers' G, one of the rest of G, a gather of W
///   stage 3: m times two gathers of the layers' W and a reduce-scatter of their G; one of the rest
///            of G and a gather of the rest of W; a gather of the layers' W for completions
///   copies of a sharded student: an all-reduce of a rank's part of G between them
///   experts divided over N devices: of each token to each of its k experts in every layer a row of
///            the layer's width, (N − 1)/N of them to other devices, and back: three times in
///            learning (forward, again, as gradients), once in grading; no gathers of experts
///   completions by T ranks together: for each token an all-reduce of each sequence's hidden state
///            behind both blocks of every layer, and a gather of its logits
///   teacher on devices of its own: the hidden states of a learner's completions
///   teacher, sharded or in the host's memory: a gather of its layers for each micro-pass
std::vector<Traffic> traffic_of(const ScaleJob& job);

/// Seconds of a message alone: within a node at the links' pace, between nodes at the network's,
/// with 10 or 20 microseconds for each doubling of the ranks in every exchange.
double seconds_of(const Traffic& traffic, const DeviceKind& device);

}  // namespace alambic
