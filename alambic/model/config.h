#pragma once

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

#include "alambic/nn/rope_settings.h"

namespace alambic {

/// Typed reading of a Hugging Face config.json; errors name the file, the key, what was expected
/// and what was found. The json must outlive this view.
struct Config {
  const nlohmann::ordered_json& json;
  std::string where;

  /// First entry of "architectures", or "".
  std::string architecture() const;
  bool has(const std::string& key) const;  ///< present and not null
  int64_t integer(const std::string& key) const;
  int64_t integer(const std::string& key, int64_t otherwise) const;
  /// A size: an integer in [1, 2^31).
  int64_t size(const std::string& key) const;
  int64_t size(const std::string& key, int64_t otherwise) const;
  double number(const std::string& key, double otherwise) const;
  bool flag(const std::string& key, bool otherwise) const;
  std::string text(const std::string& key, const std::string& otherwise) const;
  /// "rope_parameters" (of `layer_type` where it is given per layer type), or rope_theta with
  /// "rope_scaling", the older spelling. Unknown types are refused.
  RopeSettings rope(double default_theta = 10000, const std::string& layer_type = "") const;
  /// Whether each of the layers has a sliding window: "layer_types", or `otherwise` of the layer.
  std::vector<bool> sliding(int64_t layers, const std::function<bool(int64_t)>& otherwise) const;
  /// Refuses a value that the family's code does not implement.
  void require(bool holds, const std::string& key, const std::string& expected) const;
};

}  // namespace alambic
