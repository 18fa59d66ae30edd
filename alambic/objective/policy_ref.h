// Objectives over drawn tokens as their papers define them: scalar loops in double, over full
// logits, one token. What is a constant of the gradient is taken from the student as it was
// (`frozen`), so that differences of the value are the gradient.
#pragma once

#include "alambic/objective/divergence_ref.h"

namespace alambic::reference {

/// A token that was drawn, and how likely it was then: log softmax(logits / T)[token].
struct DrawnToken {
  int token = 0;
  double sampler_logp = 0;
  double temperature = 1;
  double clip = 0;  ///< 0: none
};

/// −min(r·A, clamp(r, 1 − clip, 1 + clip)·A), r = softmax(student / T)[token] / exp(sampler_logp)
double clipped_surrogate(const Row& student, const DrawnToken& drawn, double advantage);

/// T²·clipped_surrogate with A = log p(token) − log q_frozen(token).
double sampled_reverse_kl(const Row& student, const Row& frozen, const Row& teacher,
                          const DrawnToken& drawn);

/// Every token of a completion has the completion's advantage.
inline double grpo(const Row& student, const DrawnToken& drawn, double advantage) {
  return clipped_surrogate(student, drawn, advantage);
}

/// MiniLLM's return of token t of one completion: the mean of reward over the tokens after t (their
/// sum where `normalize` is false), 0 for the last.
double return_after(const std::vector<double>& reward, size_t t, bool normalize = true);

/// r·(eᵈ − 1 − d), d = log reference(token) − log q(token); the ratio and d both move with q.
double reference_kl(const Row& student, const Row& reference, const DrawnToken& drawn);

}  // namespace alambic::reference
