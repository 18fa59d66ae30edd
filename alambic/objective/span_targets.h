// Log-probabilities of runs of tokens that are compared as one, and their gradient.
#pragma once

#include <vector>

#include "alambic/flow/head.h"
#include "alambic/flow/teacher_output.h"
#include "alambic/objective/divergence.h"

namespace alambic {

/// Graded tokens of one model by spans. A token that ends a completion stands for each of `ends`:
/// its probability is the sum of theirs.
struct SpanTargets {
  Tensor token_M;  ///< int64
  Tensor span_M;   ///< int64; -1: in no span
  Tensor end_M;    ///< bool
  std::vector<int64_t> ends;
  int64_t spans = 0;
};
/// The teacher's of a map, and the student's with the tokens that it chose.
SpanTargets teacher_targets(const SpanMap& map);
SpanTargets student_targets(const SpanMap& map, const Tensor& token_M);

/// log softmax(logits / T) of every token, float64, no gradient.
Tensor log_probabilities(const Tensor& hidden_MD, const Head& head, const SpanTargets& targets,
                         double temperature, const ChunkOptions& chunk = {});

/// What the ends have beyond the drawn one: log of the sum of their probabilities less log of its
/// own; 0 for all other tokens. float64, no gradient.
Tensor log_share_of_ends(const Tensor& hidden_MD, const Head& head, const SpanTargets& targets,
                         double temperature);

/// Sums over the tokens of each span, float64 [K].
Tensor span_sums(const Tensor& value_M, const SpanTargets& targets);

/// The teacher's log-probabilities of the spans, float64 [K]. One that gives one number a token
/// does so at its own temperature.
Tensor teacher_logp_K(const AlignedStates& teacher, double temperature,
                      const ChunkOptions& chunk = {});

/// The spans' numbers at their tokens; 0 at those in none. [M]
Tensor at_tokens(const Tensor& value_K, const SpanTargets& targets);

/// `value` with the gradient Σ slope_M · ∇ log_probabilities, in the student's hidden states and
/// head. `slope_M` includes the normalizer.
Tensor with_slopes(const Tensor& value, const Tensor& hidden_MD, const Head& head,
                   const SpanTargets& targets, const Tensor& slope_M, double temperature,
                   const ChunkOptions& chunk = {});

}  // namespace alambic
