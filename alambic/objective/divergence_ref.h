// The losses as their papers define them: scalar loops in double, over full logits. Tests and
// `alambic selftest` compare with these; nothing trains with them.
#pragma once

#include <vector>

#include "alambic/objective/divergence_kind.h"

namespace alambic::reference {

using Row = std::vector<double>;

/// log softmax(logits / temperature)
Row log_softmax(const Row& logits, double temperature = 1);

/// Distances at one position: |W·s − t|² / D of t, and 1 − cos(W·s, t); an empty W: the identity.
double hidden_mse(const Row& student, const std::vector<Row>& projection, const Row& teacher);
double hidden_cosine(const Row& student, const std::vector<Row>& projection, const Row& teacher);

/// Σ p·(log p − log q), from logarithms; a p of 0 contributes 0.
double kl(const Row& log_p, const Row& log_q);

/// log(share·p + (1 − share)·q)
Row mixture(double share, const Row& log_p, const Row& log_q);

/// T²·D of one position, the generalized JSD of divergence.h: beta·KL(p‖m) + (1 − beta)·KL(q‖m)
/// with m = beta·p + (1 − beta)·q; beta = 0: KL(p‖q); beta = 1: KL(q‖p). p teacher, q student.
double divergence(double beta, double temperature, const Row& student_logits,
                  const Row& teacher_logits);

/// T^k·D of one position for any kind, by the `definition` in divergences/KIND.h. `parameter`: beta
/// of jsd, alpha of the skew KLs, the head's share for akl.
double divergence(DivergenceKind kind, double parameter, double temperature,
                  const Row& student_logits, const Row& teacher_logits);

/// The same from two distributions, without T^k: log-probabilities that sum to 1.
double distance(DivergenceKind kind, double parameter, const Row& log_q, const Row& log_p);

/// Akl's share: the head's part of Σ|p − q|.
double head_share(const Row& log_q, const Row& log_p);

/// The tokens of `chosen`, then one bucket of all the others, as log-probabilities.
Row buckets(const Row& log_p, const std::vector<int>& chosen);

/// −log softmax(logits)[target]
double cross_entropy(const Row& logits, int target);

/// −Σ p·log p
double entropy(const Row& log_p);

/// Logits that a Head makes of one hidden state: weight is [V][D], bias empty or [V].
Row logits(const Row& hidden, const std::vector<Row>& weight, const Row& bias, double scale,
           double softcap);

}  // namespace alambic::reference
