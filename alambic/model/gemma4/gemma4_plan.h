#pragma once

#include <array>
#include <optional>
#include <vector>

#include "alambic/model/decoder.h"
#include "alambic/model/gemma4/shared_kv_attention.h"
#include "alambic/nn/moe.h"

namespace alambic {

/// Layers of a Gemma 4, as config.json describes them.
struct Gemma4Plan {
  /// Layers of one kind have the same heads and angles.
  enum Kind : size_t { whole, sliding };

  struct Layer {
    Kind kind;
    KvSource source;
    AttentionShape attention;
    int64_t window;
    MlpShape mlp;
  };

  DecoderShape shape;
  std::vector<Layer> layers;
  int64_t own_keys = 0;         ///< layers before those that read earlier ones' keys
  int64_t per_layer_width = 0;  ///< 0: no per-layer embeddings
  int64_t per_layer_vocabulary = 0;
  std::optional<RouterOptions> router = {};  ///< experts beside each layer's MLP
  MlpShape expert = {};

  /// Input errors where the configuration contradicts itself or asks for what is not built.
  explicit Gemma4Plan(const Config& config);
  /// Settings of the two ropes, in the order of Kind.
  std::array<RopeSettings, 2> ropes(const Config& config) const;
  /// Width of the heads in layers of that kind.
  int64_t head_width(Kind kind) const;
};

}  // namespace alambic
