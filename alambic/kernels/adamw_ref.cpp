#include "alambic/kernels/adamw_ref.h"

#include <cmath>

namespace alambic::kernels::ref {

AdamWState adamw(const AdamW& options, int64_t step, AdamWState state, double gradient) {
  const auto t = static_cast<double>(step);
  state.master *= 1 - options.learning_rate * options.weight_decay;
  state.mean = options.beta1 * state.mean + (1 - options.beta1) * gradient;
  state.square = options.beta2 * state.square + (1 - options.beta2) * gradient * gradient;
  const double mean = state.mean / (1 - std::pow(options.beta1, t));
  const double square = state.square / (1 - std::pow(options.beta2, t));
  state.master -= options.learning_rate * mean / (std::sqrt(square) + options.epsilon);
  return state;
}

}  // namespace alambic::kernels::ref
