#include "alambic/rollout/device_processors.h"

#include <limits>

#include "alambic/rollout/device_draws.h"

namespace alambic {

DeviceProcessors::DeviceProcessors(const Sampling& sampling, int64_t slots, int64_t vocabulary,
                                   at::Device device)
    : temperature_(sampling.temperature), vocabulary_(vocabulary), device_(device) {
  if (sampling.repetition_penalty != 1) {
    // A tensor of the device: by a number of the host a GPU multiplies with its inverse.
    penalty_ = at::full({1}, sampling.repetition_penalty, at::kFloat).to(device);
    seen_SV_ = at::zeros({slots, vocabulary}, at::TensorOptions().dtype(at::kBool).device(device));
  }
  if (!sampling.logit_bias.empty()) {
    Tensor bias_V = at::zeros({vocabulary}, at::kFloat);
    for (const auto& [token, bias] : sampling.logit_bias) {
      if (token >= 0 && token < vocabulary) bias_V.mutable_data_ptr<float>()[token] += bias;
    }
    bias_V_ = bias_V.to(device);
  }
  never_V_ = mask_of(sampling.suppressed);
  begin_V_ = mask_of(sampling.suppressed_at_first);
}

Tensor DeviceProcessors::mask_of(const std::vector<int32_t>& tokens) const {
  if (tokens.empty()) return {};
  Tensor mask_V = at::zeros({vocabulary_}, at::kBool);
  for (const int32_t token : tokens) {
    if (token >= 0 && token < vocabulary_) mask_V.mutable_data_ptr<bool>()[token] = true;
  }
  return mask_V.to(device_);
}

void DeviceProcessors::begin(std::span<const Begins> sequences) {
  if (!penalty_.defined()) return;
  std::vector<int64_t> slots, places;
  for (const Begins& sequence : sequences) {
    slots.push_back(sequence.slot);
    for (const int32_t token : sequence.tokens) {
      if (token >= 0 && token < vocabulary_) places.push_back(sequence.slot * vocabulary_ + token);
    }
  }
  seen_SV_.index_fill_(0, at::tensor(slots, at::kLong).to(device_), 0);
  see(at::tensor(places, at::kLong).to(device_));
}

Tensor DeviceProcessors::processed(const Tensor& logits_BV, const Tensor& slots_B,
                                   const Tensor& first_B) const {
  Tensor x_BV = logits_BV.to(at::kFloat);
  if (penalty_.defined()) {
    const Tensor changed_BV = at::where(x_BV < 0, x_BV * penalty_, x_BV / penalty_);
    x_BV = at::where(seen_SV_.index_select(0, slots_B), changed_BV, x_BV);
  }
  if (bias_V_.defined()) x_BV = x_BV + bias_V_;
  constexpr float lowest = std::numeric_limits<float>::lowest();
  if (never_V_.defined()) x_BV = x_BV.masked_fill(never_V_, lowest);
  if (begin_V_.defined() && first_B.defined()) {
    x_BV = x_BV.masked_fill(begin_V_ & (first_B == 1).unsqueeze(1), lowest);
  }
  return x_BV;
}

void DeviceProcessors::drawn(const Tensor& logits_BV, const Tensor& slots_B, const Tensor& token_B,
                             const Tensor& numbers) {
  if (penalty_.defined()) see(slots_B * vocabulary_ + token_B);
  // What is not finite stays so.
  const Tensor drawn_B = numbers[1] * 0;
  numbers[1].copy_(drawn_B + log_probabilities(logits_BV, temperature_, token_B));
}

}  // namespace alambic
