// Draws of the next tokens on the device that computed their logits, without a read.
#pragma once

#include "alambic/kernels/device_decoding.h"
#include "alambic/rollout/sampling.h"
#include "alambic/tensor/tensor.h"

namespace alambic {

/// Tokens drawn for the rows of a batch, on the device.
struct DrawnRows {
  Tensor token_B;  ///< int64
  Tensor logp_B;   ///< float32, as Drawn::logp; not finite where a logit of the row is not
};

/// The same draws as sample() of each row with its coin, but for what rounding moves over the edge
/// of a token's interval. `coin_B`: float64. `sampling` changes no logits.
DrawnRows draw_rows(const Tensor& logits_BV, const Sampling& sampling, const Tensor& coin_B);

/// log softmax(logits / temperature)[token] of each row, float32, as log_probability()
/// (rollout/sample.h) of each.
Tensor log_probabilities(const Tensor& logits_BV, double temperature, const Tensor& token_B);

/// Draws as the host reads them.
struct DrawnNumbers {
  Tensor token_B;  ///< int64
  Tensor numbers;  ///< float64, [2 or 3, B]: tokens, logarithms of their probabilities by the model
                   ///< alone, and with a mixed-in teacher their weights (Completion::weights)
};

/// The draws from one model's logits, or from its mixture with those of another that has `share`.
DrawnNumbers draw_numbers(const std::vector<Tensor>& logits_BV, const Sampling& sampling,
                          double share, const Tensor& coin_B);

/// Whether a kernel draws from one model's logits on this device.
bool draws_by_kernel(at::Device device);

/// The draws by that kernel, which makes its coins itself: tokens to `token_B` (int64), what the
/// host reads to `numbers` ([2, B]); places become those of the drawn tokens.
void draw_by_kernel(const Tensor& logits_BV, const Sampling& sampling,
                    const kernels::on_device::DrawCoins& coins, const Tensor& token_B,
                    const Tensor& numbers);

}  // namespace alambic
