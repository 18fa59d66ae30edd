// The best validation of a run so far, and the file of its weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "alambic/base/metrics.h"

namespace alambic {

struct BestValidation {
  std::string metric;  ///< name of the figure that decides
  double value = 0;
  int64_t step = 0;    ///< finished optimizer steps at it
  int64_t since = 0;   ///< validations after it, none of them better
  Metrics figures;     ///< all of that validation
  std::string sha256;  ///< digest of the file of its weights; "" where none is kept
};

/// As state.json keeps it under "best".
nlohmann::ordered_json json_of(const BestValidation& best);
/// Of a whole state.json; nothing where it has none. An input error where it is none of ours.
std::optional<BestValidation> best_of(const nlohmann::ordered_json& state);

/// checkpoints/best-NNNNNNNN.safetensors: the trained tensors after that step.
std::filesystem::path best_weights_file(const std::filesystem::path& checkpoints, int64_t step);
bool is_best_weights(const std::filesystem::path& file);
/// Refuses, as an input error, a file that is missing or has another digest.
void check_best_weights(const std::filesystem::path& checkpoints, const BestValidation& best);

}  // namespace alambic
