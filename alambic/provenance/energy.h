// Energy that a machine has used, by counters of its processors and its GPUs, where they may be
// read.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "alambic/base/files.h"

namespace alambic {

/// Joules since the driver was loaded of all GPUs together, as NVIDIA's management library counts
/// them; nothing, and `why`, where it does not.
std::optional<double> gpu_joules(std::string& why);

/// Energy of the processors' packages (RAPL, /sys/class/powercap or the folder that
/// ALAMBIC_POWERCAP names) and of all GPUs since the meter was made: that of everything that ran on
/// the machine. Nobody vouches for it.
class EnergyMeter {
 public:
  EnergyMeter();

  /// Follows the processors' counters, which begin again at 0 every half hour or so: to be called
  /// more often than that. Microseconds.
  void update();

  /// {"cpu_joules", "gpu_joules"}, each a number or unknown with its reason. `before` is what an
  /// earlier part of the run has used, in the same form; null: there was none.
  nlohmann::json read(const nlohmann::json& before = nullptr);

 private:
  struct Counter {
    fs::path file;
    uint64_t last = 0, range = 0;  // microjoules
  };
  std::vector<Counter> counters_;
  double cpu_joules_ = 0;
  std::optional<double> gpu_start_;
  std::string no_cpu_, no_gpu_;
};

/// The sum of what is known of a meter's reading; unknown, with the reasons, where nothing is.
nlohmann::json total_joules(const nlohmann::json& reading);

}  // namespace alambic
