#pragma once

#include "alambic/flow/head.h"
#include "alambic/flow/loss.h"
#include "alambic/objective/divergence.h"

namespace alambic {

/// Sum over M positions of −log softmax(logits)[target], divided by `normalizer`; chunked and
/// fused as divergence_loss. Differentiable in `hidden_MD` and the head. Sums reported:
/// "cross_entropy", "agreement" (the target is the most likely token).
Loss cross_entropy_loss(const Tensor& hidden_MD, const Head& head, const Tensor& targets_M,
                        double normalizer, const ChunkOptions& chunk = {});

/// log softmax(logits / temperature)[target] of each position, float32, no gradient.
Tensor target_log_probabilities(const Tensor& hidden_MD, const Head& head, const Tensor& targets_M,
                                double temperature = 1, const ChunkOptions& chunk = {});

}  // namespace alambic
