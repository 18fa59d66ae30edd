#pragma once

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

#include "alambic/io/count_limits.h"
#include "alambic/nn/rope_settings.h"

namespace alambic {

/// Typed reading of a Hugging Face config.json; errors name the file, the key, what was expected
/// and what was found. The json must outlive this view.
struct Config {
  const nlohmann::ordered_json& json;
  std::string where;
  CountLimits limits = {};
  int64_t layers_instead = 0;  ///< result of `layers`; 0: json's own

  /// Settings within these, read by the same rules; `inner` must outlive the result.
  Config within(const nlohmann::ordered_json& inner, const std::string& name) const {
    return {inner, where + ", " + name, limits, layers_instead};
  }
  /// The object under `key`.
  Config part(const std::string& key) const { return within(json[key], key); }

  /// First entry of "architectures", or "".
  std::string architecture() const;
  bool has(const std::string& key) const;  ///< present and not null
  /// An integer between −2^31 and 2^31.
  int64_t integer(const std::string& key) const;
  int64_t integer(const std::string& key, int64_t otherwise) const;
  /// A dimension of tensors, or a divisor of one: from 1 to what the files have (CountKind::size).
  int64_t size(const std::string& key) const;
  int64_t size(const std::string& key, int64_t otherwise) const;
  /// Number of layers, from 1 to those of the files.
  int64_t layers(const std::string& key) const;
  /// Number of experts in a layer, from 1 to those of the files.
  int64_t experts(const std::string& key) const;
  int64_t experts(const std::string& key, int64_t otherwise) const;
  /// A number of positions, or of layers from one to the next of its kind, which no tensor tells:
  /// an integer in [1, 2^31). Nothing may be built or looped over by it alone.
  int64_t length(const std::string& key) const;
  int64_t length(const std::string& key, int64_t otherwise) const;
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

 private:
  int64_t count(const std::string& key, CountKind kind) const;
};

}  // namespace alambic
