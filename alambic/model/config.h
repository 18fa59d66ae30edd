#pragma once

#include <string>
#include <vector>

#include "alambic/base/json_fields.h"
#include "alambic/io/count_limits.h"
#include "alambic/nn/rope_settings.h"

namespace alambic {

/// Typed reading of a config.json that complete_config() has completed, and of files like it;
/// errors name the file, the key, what was expected and what was found.
struct Config : JsonFields {
  CountLimits limits = {};

  /// Settings within these, read by the same rules; `inner` must outlive the result.
  Config within(const nlohmann::ordered_json& inner, const std::string& name) const {
    return {{inner, where + ", " + name}, limits};
  }

  /// A dimension of tensors, or a divisor of one: from 1 to what the files have (CountKind::size).
  int64_t size(const std::string& key) const;
  int64_t size(const std::string& key, int64_t otherwise) const;
  /// Number of layers, from 1 to those of the files.
  int64_t layers(const std::string& key) const;
  /// Number of experts in a layer, from 1 to those of the files.
  int64_t experts(const std::string& key) const;
  /// A number of positions, or of layers from one to the next of its kind, which no tensor tells:
  /// an integer in [1, 2^31). Nothing may be built or looped over by it alone.
  int64_t length(const std::string& key) const;
  int64_t length(const std::string& key, int64_t otherwise) const;
  /// "max_position_embeddings"; with longrope the positions before the stretching, where its short
  /// factors end: a sequence's angles would otherwise depend on its length.
  int64_t positions() const;
  /// "rope_parameters", or the entry of it for a kind of layers.
  RopeSettings rope(const std::string& layer_type = "") const;
  /// Whether each of the layers has a sliding window, by "layer_types".
  std::vector<bool> sliding() const;
  /// Refuses a value that the family's code does not implement.
  void require(bool holds, const std::string& key, const std::string& expected) const;

 private:
  int64_t count(const std::string& key, CountKind kind) const;
};

}  // namespace alambic
