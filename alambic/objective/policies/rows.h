// Common parts of objectives over drawn tokens: the importance ratio and PPO's clipping.
#pragma once

#include "alambic/tensor/tensor.h"

namespace alambic {

/// Some drawn tokens, float64 [C] each. Logarithms are of softmax(logits / T), T the sampler's.
struct PolicyRows {
  Tensor logp_C;   ///< log-probability under the student
  Tensor ratio_C;  ///< exp(logp − the sampler's logp)
  // Undefined where no objective reads them.
  Tensor teacher_logp_C, teacher_share_C, reference_logp_C;
  Tensor advantage_C;  ///< advantage of the token's completion
  Tensor return_C;     ///< sum or mean over the completion's later tokens
};

/// Terms of the tokens, and their derivative with regard to logp: the gradient with regard to the
/// student's logits is slope·(1_token − q) / T.
struct Surrogate {
  Tensor value_C, slope_C;
  Tensor clipped_C;  ///< bool: the clipping took the gradient away; undefined: nothing is clipped
};

/// −min(r·A, clamp(r, 1 − clip, 1 + clip)·A): PPO's clipped objective (Schulman et al.,
/// arXiv 1707.06347, eq. 7) to be minimized, A held constant; clip 0: −r·A.
/// d r / d logp = r, so the slope is −r·A where the clamp does not hold the value.
inline Surrogate clipped_surrogate(const Tensor& ratio_C, const Tensor& advantage_C, double clip) {
  const Tensor free_C = ratio_C * advantage_C;
  if (clip == 0) return {-free_C, -free_C, {}};
  const Tensor held_C = ratio_C.clamp(1 - clip, 1 + clip) * advantage_C;
  const Tensor clipped_C = held_C < free_C;
  return {-at::minimum(free_C, held_C), -free_C.masked_fill(clipped_C, 0), clipped_C};
}

}  // namespace alambic
