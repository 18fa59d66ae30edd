#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace alambic {

/// "rope_parameters" of a config.json, by transformers' names. What does not belong to the type is
/// left as it is.
struct RopeSettings {
  /// default, linear, dynamic, llama3, yarn, longrope, proportional.
  std::string type = "default";
  double theta = 10000;
  double rotary = 1;  ///< partial_rotary_factor: the share of a head that turns
  double factor = 1;
  int64_t original_positions = 0;                    ///< context before the stretching
  double low_freq_factor = 1, high_freq_factor = 4;  ///< llama3
  double beta_fast = 32, beta_slow = 1;              ///< yarn
  double mscale = 0, mscale_all_dim = 0;             ///< yarn; 0: not given
  bool truncate = true;                              ///< yarn: whole dimensions as bounds
  std::optional<double> attention_factor = {};       ///< yarn, longrope; multiplies cos and sin
  std::vector<double> short_factor = {};             ///< longrope, one per angle
};

}  // namespace alambic
