#pragma once

#include "alambic/objective/divergence.h"
#include "alambic/objective/divergence_cpu.h"

namespace alambic {

/// divergence_loss over {the span, anything else} at the beginning of every span: the binary
/// f-divergence of chunk likelihoods (Minixhofer et al., ALM, arXiv 2503.20083, at their τ = 1). A
/// lower bound of the divergence of the distributions over continuations; it and its gradient are 0
/// where both models give the span the same probability. row.weight is 1 / normalizer, row.gradient
/// is not read. Sums over spans: "span_reverse_kl", "span_forward_kl".
Loss span_sum(const DivergenceRow& row, const Tensor& student_MD, const Head& student,
              const Tensor& token_M, const AlignedStates& teacher, const ChunkOptions& chunk);

/// Advantages of the spans of the student's own tokens: Σ (log p − log q) of the span and of the
/// `lookahead` next ones of its completion. The whole span's advantage is that of each of its
/// tokens: then the policy gradient is the reverse KL's of the spans (docs/numerics.md). A share of
/// it for each would be another gradient.
Tensor span_advantages_K(const Tensor& teacher_logp_K, const Tensor& student_logp_K,
                         const Tensor& sequence_K, int64_t lookahead);

}  // namespace alambic
