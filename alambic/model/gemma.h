#pragma once

#include "alambic/model/decoder.h"

namespace alambic {

/// Parts common to Gemma 2 and 3: four norms of 1 + weight, scaled embeddings, a GELU gate, a tied
/// head, soft-caps where the configuration has them. The family adds layers and ropes.
struct Gemma {
  DecoderShape shape;
  AttentionOptions attention;
  std::unique_ptr<Decoder> model;

  explicit Gemma(const Config& config);
};

}  // namespace alambic
