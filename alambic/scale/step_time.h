// Seconds of a distillation's step on many devices: arithmetic, no device is asked.
#pragma once

#include <string>
#include <vector>

#include "alambic/scale/traffic.h"

namespace alambic {

/// Shares of a device's figures that whole phases reach.
struct Efficiency {
  double decode = 0.6, prefill = 0.7, teacher = 0.75, learn = 0.55, loss = 0.8;
  /// Share of the shorter of computing and sending that goes on beside the longer.
  double overlap = 0.85;
};

struct PhaseSeconds {
  std::string name;    ///< generate, grade, learn, update
  double compute = 0;  ///< seconds of arithmetic and of the device's own memory
  double traffic = 0;  ///< seconds of its messages, were they alone
  double all = 0;      ///< both, as far as they do not go on at a time
};

struct StepTime {
  std::vector<PhaseSeconds> phases;
  double seconds = 0;
  double tokens_per_second = 0;  ///< of all devices, prompts counted
  std::string dominant;          ///< phase that takes most
};

/// A token's forward pass is 2 FLOP a number, backward 4, a layer's second run 2; a token written
/// reads the weights and half of its final cache, of devices that write together each its part; an
/// update moves 30 bytes a number. Each device
/// writes completions of full length, and all wait for the slowest.
StepTime step_time(const ScaleJob& job, const Efficiency& efficiency = {});

}  // namespace alambic
