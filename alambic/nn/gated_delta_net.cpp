#include "alambic/nn/gated_delta_net.h"

#include <algorithm>
#include <cmath>

#include "alambic/kernels/activation.h"
#include "alambic/kernels/causal_convolution.h"
#include "alambic/nn/decoding_places.h"

namespace alambic {

namespace {

Tensor wide(const Tensor& x) { return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat); }

Tensor of_length_one(const Tensor& x_NKd) {
  const Tensor x = wide(x_NKd);
  return x * (x.square().sum(-1, true) + 1e-6).rsqrt();
}

Tensor softplus(const Tensor& x) { return at::logaddexp(x, at::zeros_like(x)); }

Tensor slots_of(const Pass& pass) {
  if (const DecodingPlaces* places = decoding_places()) return places->slots_B;
  return at::tensor(pass.slots, at::kLong).to(pass.positions_N.device());
}

// The rows of the pass's slots. Slots of sequences that begin with this pass are emptied first:
// another one may have left its own there. Those at places on a device go on.
Tensor remembered(const Tensor& cached, const Pass& pass) {
  for (size_t s = 0; s < pass.slots.size() && decoding_places() == nullptr; ++s) {
    if (pass.starts()[s] == 0) cached.select(0, pass.slots[s]).zero_();
  }
  return cached.index_select(0, slots_of(pass));
}

kernels::DeltaInputs at_positions(const kernels::DeltaInputs& rows, const Pass& pass) {
  return {.q_NKd = pass.to_positions(rows.q_NKd),
          .k_NKd = pass.to_positions(rows.k_NKd),
          .v_NHd = pass.to_positions(rows.v_NHd),
          .decay_NH = pass.to_positions(rows.decay_NH),
          .rate_NH = pass.to_positions(rows.rate_NH)};
}

// The last inputs of every sequence of a prompt's pass, behind zeros where it is shorter.
void keep_last(const Tensor& x_NC, const Pass& pass, const Tensor& window) {
  for (int64_t s = 0; s < pass.input.sequences(); ++s) {
    const int64_t count = std::min(window.size(1), pass.input.length(s));
    const Tensor slot_WC = window.select(0, pass.slots[s]);
    slot_WC.zero_();
    slot_WC.narrow(0, window.size(1) - count, count)
        .copy_(x_NC.narrow(0, pass.input.offsets[s + 1] - count, count));
  }
}

}  // namespace

GatedDeltaNet::GatedDeltaNet(const DeltaNetShape& shape, double epsilon)
    : shape(shape),
      in_proj_qkv(shape.width, shape.channels(), false),
      in_proj_z(shape.width, shape.heads * shape.value_width, false),
      in_proj_b(shape.width, shape.heads, false),
      in_proj_a(shape.width, shape.heads, false),
      conv_weight(placeholder({shape.channels(), 1, shape.window})),
      dt_bias_H(placeholder({shape.heads})),
      log_decay_H(placeholder({shape.heads})),
      norm(shape.value_width, epsilon),
      out_proj(shape.heads * shape.value_width, shape.width, false) {}

Tensor GatedDeltaNet::forward(const Tensor& x_ND, const Rotation&, const Pass& pass,
                              int64_t layer) const {
  const Tensor mixed_NC = at::silu(convolved(in_proj_qkv(x_ND), pass, layer));
  const Tensor read_NHd = norm(read(inputs(mixed_NC, x_ND), pass, layer));
  return out_proj(kernels::swiglu(in_proj_z(x_ND), read_NHd.flatten(1)));
}

Tensor GatedDeltaNet::convolved(const Tensor& x_NC, const Pass& pass, int64_t layer) const {
  const Tensor weight_CW = conv_weight.squeeze(1);
  if (pass.decodes()) {
    const Tensor& window = pass.cache->layers[layer].window;
    const Tensor last_NWC = at::cat({remembered(window, pass), x_NC.unsqueeze(1)}, 1);
    window.index_copy_(0, slots_of(pass), last_NWC.narrow(1, 1, window.size(1)));
    return kernels::causal_convolution_step(last_NWC, weight_CW);
  }
  if (pass.cache) keep_last(x_NC, pass, pass.cache->layers[layer].window);
  return pass.to_rows(kernels::packed_causal_convolution(pass.to_positions(x_NC), weight_CW,
                                                         pass.to_positions(pass.positions_N)));
}

kernels::DeltaInputs GatedDeltaNet::inputs(const Tensor& mixed_NC, const Tensor& x_ND) const {
  const int64_t keys = shape.key_heads * shape.key_width;
  const std::vector<Tensor> parts =
      mixed_NC.split_with_sizes({keys, keys, shape.heads * shape.value_width}, -1);
  const Tensor forgetting_NH =
      wide(log_decay_H).exp() * softplus(wide(in_proj_a(x_ND)) + wide(dt_bias_H));
  return {.q_NKd = of_length_one(parts[0].unflatten(-1, {shape.key_heads, -1})) /
                   std::sqrt(static_cast<double>(shape.key_width)),
          .k_NKd = of_length_one(parts[1].unflatten(-1, {shape.key_heads, -1})),
          .v_NHd = parts[2].unflatten(-1, {shape.heads, -1}),
          .decay_NH = -forgetting_NH,
          .rate_NH = in_proj_b(x_ND).sigmoid()};
}

Tensor GatedDeltaNet::read(const kernels::DeltaInputs& inputs, const Pass& pass,
                           int64_t layer) const {
  const bool decodes = pass.decodes();
  const kernels::DeltaOutputs found =
      decodes ? kernels::delta_rule_step(inputs, remembered(pass.cache->layers[layer].state, pass))
              : kernels::packed_delta_rule(at_positions(inputs, pass), pass.input.offsets);
  if (pass.cache) {
    pass.cache->layers[layer].state.index_copy_(0, slots_of(pass), found.state_SHkv);
  }
  return pass.to_rows(found.out_NHd);
}

// As SelfAttention's.
double GatedDeltaNet::other_activations() const {
  const auto channels = static_cast<double>(shape.channels());
  const auto heads = static_cast<double>(shape.heads), chunk = static_cast<double>(kernels::kChunk);
  const auto dk = static_cast<double>(shape.key_width), dv = static_cast<double>(shape.value_width);
  // The convolution's shifted inputs, its sum, and the sum's SiLU; the chunked delta rule's
  // (kernels/delta_rule.cpp) queries, keys and values in their forms, five squares of a chunk
  // (decays, products and scores), and a state a chunk.
  return (static_cast<double>(shape.window) + 1) * channels +
         heads * (6 * dk + 5 * dv + 5 * chunk + dk * dv / chunk);
}

void GatedDeltaNet::visit(const std::string& prefix, const TensorVisitor& visitor) {
  const std::string block = prefix + "linear_attn.";
  visitor(block + "dt_bias", dt_bias_H);
  visitor(block + "A_log", log_decay_H);
  visitor(block + "conv1d.weight", conv_weight);
  norm.visit(block + "norm", visitor);
  out_proj.visit(block + "out_proj", visitor);
  in_proj_qkv.visit(block + "in_proj_qkv", visitor);
  in_proj_z.visit(block + "in_proj_z", visitor);
  in_proj_b.visit(block + "in_proj_b", visitor);
  in_proj_a.visit(block + "in_proj_a", visitor);
  visitor.activations([&](double) { return other_activations(); });
}

}  // namespace alambic
