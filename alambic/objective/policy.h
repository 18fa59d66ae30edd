// Objectives of the drawn tokens: policy gradients from hidden states, in chunks.
#pragma once

#include <vector>

#include "alambic/objective/divergence.h"
#include "alambic/objective/policy_kind.h"

namespace alambic {

struct PolicyTerm {
  PolicyKind kind = PolicyKind::sampled_reverse_kl;
  double weight = 1;
};

/// Σ weight·T^k·objective over `terms`, as policies/*.h define them. The policy is
/// softmax(logits / T), the distribution from which the tokens were drawn at T = temperature.
struct Policy {
  std::vector<PolicyTerm> terms;  ///< empty: nothing is learned this way
  double temperature = 1;
  double clip = 0.2;     ///< bound of the importance ratio, on the side that would go on; 0: none
  double kl_weight = 0;  ///< factor of policies/reference_kl.h, added to the terms; 0: no reference

  bool has(PolicyKind kind) const;
  bool reads_teacher() const;
};

/// The graded tokens of some Rollouts (in the order of Rollouts::loss_positions_M) and what is
/// known of each. Logarithms are of softmax(logits / T). No gradient.
struct DrawnTokens {
  Tensor token_M;         ///< int64
  Tensor sampler_logp_M;  ///< when it was drawn: Rollouts::logp_N
  // Undefined where no term reads them.
  Tensor teacher_logp_M, reference_logp_M;
  /// Factor of log q in sampled_reverse_kl's advantage where a teacher grades spans: their share of
  /// the loss, 0 for tokens in none; teacher_logp_M has the same factor already. Undefined: 1.
  Tensor teacher_share_M;
  Tensor advantage_M;  ///< advantage of the token's completion
  Tensor return_M;     ///< return of the completion's later tokens (returns.h)
  /// The policy's probability over that of another distribution which drew the token; undefined: 1.
  /// Values and gradients are multiplied by it; clipping looks at how far the policy has moved.
  Tensor weight_M;
};

/// Sum over the M drawn tokens, divided by `normalizer`; chunked and fused as divergence_loss, with
/// one product of hidden states and head for all terms. Differentiable in `student_MD` and the
/// head. Sums reported: every term under its name (without weight and T^k), "sampled_entropy" (−log
/// q of the drawn tokens, whose expectation is the entropy) and "clip_share" (tokens of which the
/// clipping took some gradient away).
Loss policy_loss(const Policy& policy, const Tensor& student_MD, const Head& student,
                 const DrawnTokens& drawn, double normalizer, const ChunkOptions& chunk = {});

}  // namespace alambic
