#pragma once

#include <cstdint>
#include <vector>

namespace alambic::kernels::ref {

struct AdamW {
  double learning_rate, beta1, beta2, epsilon, weight_decay;
};

/// One number's master weight and moments.
struct AdamWState {
  double master, mean, square;
};

/// AdamW's step number `step` (from 1) by its definition (Loshchilov and Hutter, arXiv 1711.05101),
/// in the order of torch's.
AdamWState adamw(const AdamW& options, int64_t step, AdamWState state, double gradient);

}  // namespace alambic::kernels::ref
