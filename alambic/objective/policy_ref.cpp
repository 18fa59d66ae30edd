#include "alambic/objective/policy_ref.h"

#include <algorithm>
#include <cmath>

namespace alambic::reference {

double clipped_surrogate(const Row& student, const DrawnToken& drawn, double advantage) {
  const double logp = log_softmax(student, drawn.temperature)[drawn.token];
  const double ratio = std::exp(logp - drawn.sampler_logp);
  if (drawn.clip == 0) return -ratio * advantage;
  const double held = std::min(std::max(ratio, 1 - drawn.clip), 1 + drawn.clip);
  return -std::min(ratio * advantage, held * advantage);
}

double sampled_reverse_kl(const Row& student, const Row& frozen, const Row& teacher,
                          const DrawnToken& drawn) {
  const double T = drawn.temperature;
  const double advantage =
      log_softmax(teacher, T)[drawn.token] - log_softmax(frozen, T)[drawn.token];
  return T * T * clipped_surrogate(student, drawn, advantage);
}

double return_after(const std::vector<double>& reward, size_t t, bool normalize) {
  double sum = 0;
  for (size_t later = t + 1; later < reward.size(); ++later) sum += reward[later];
  const size_t count = reward.size() - 1 - t;
  return count > 0 && normalize ? sum / static_cast<double>(count) : sum;
}

double reference_kl(const Row& student, const Row& reference, const DrawnToken& drawn) {
  const double logp = log_softmax(student, drawn.temperature)[drawn.token];
  const double d = log_softmax(reference, drawn.temperature)[drawn.token] - logp;
  return std::exp(logp - drawn.sampler_logp) * (std::exp(d) - 1 - d);
}

}  // namespace alambic::reference
