// Published figures of large runs beside what the arithmetic of this room says of them.
#pragma once

#include <string>
#include <vector>

#include "alambic/scale/step_time.h"

namespace alambic {

/// A training run that others measured. Its layout may be one that is not ours: pipeline stages
/// wait for each other, which is taken into account, and their messages are taken as hidden.
struct PublishedRun {
  std::string name, source;
  std::string device;
  double active = 0;     ///< numbers that a token is multiplied with
  double attention = 0;  ///< layers · width · length of a sequence
  bool fp8 = false;
  double recomputed = 0;  ///< share of the forward pass that the backward pass repeats
  double stages = 1, micro_batches = 1;  ///< of the pipeline, interleaved ones counted
  double network_bytes = 0;              ///< sent to other nodes for each token
  double measured = 0;  ///< TFLOP/s of a device, 6 FLOP a number and token, and attention
  double bound = 0.15;  ///< most that the arithmetic may be off
};

const std::vector<PublishedRun>& published_runs();

/// TFLOP/s of a device by this room's figures and efficiencies, none of which is fitted to a run.
double predicted(const PublishedRun& run, const Efficiency& efficiency = {});

}  // namespace alambic
