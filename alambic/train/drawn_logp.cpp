#include "alambic/train/drawn_logp.h"

#include "alambic/objective/cross_entropy.h"

namespace alambic {

Tensor drawn_logp_M(const Rollouts& rollouts, const TeacherOutput& output, double temperature) {
  if (const auto* token = std::get_if<TokenLogp>(&output)) return token->logp_M;
  const auto* topk = std::get_if<TopK>(&output);
  if (topk != nullptr && topk->logp_M.defined()) return topk->logp_M;
  const HiddenStates& states = hidden_states(output);
  return target_log_probabilities(states.hidden_MD, states.head, rollouts.targets_M(), temperature);
}

}  // namespace alambic
