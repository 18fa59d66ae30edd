#include "alambic/rollout/mixture.h"

#include <cmath>

namespace alambic {

Mixture mixture(const Tensor& own_BV, const Tensor& mixed_BV, double share, double temperature) {
  const auto log_softmax = [&](const Tensor& logits) {
    return at::log_softmax(logits.to(at::kFloat) / temperature, -1);
  };
  const Tensor q_BV = log_softmax(own_BV);
  return {at::logaddexp(log_softmax(mixed_BV) + std::log(share), q_BV + std::log1p(-share)), q_BV};
}

}  // namespace alambic
