#include "alambic/model/gemma4/per_layer_input.h"

#include <cmath>

#include "alambic/kernels/activation.h"

namespace alambic {

PerLayerInputs::PerLayerInputs(int64_t vocabulary, int64_t model_width, int64_t layers,
                               int64_t width, double epsilon)
    : layers(layers),
      width(width),
      embed_tokens_per_layer(placeholder({vocabulary, layers * width})),
      per_layer_model_projection(model_width, layers * width, false),
      per_layer_projection_norm(width, epsilon, /*plus_one=*/false, /*wide=*/true) {}

Tensor PerLayerInputs::operator()(const Tensor& tokens_N, const Tensor& x_ND) const {
  const auto split = [&](const Tensor& x) { return x.unflatten(-1, {layers, width}); };
  // Rounded to the model's dtype, as the scale of its other embedding.
  const Tensor root = at::scalar_tensor(std::sqrt(static_cast<double>(width)), x_ND.options());
  const Tensor of_token_NLP = split(embed_tokens_per_layer.rows(tokens_N)) * root;
  const Tensor projected_NLP =
      split(per_layer_model_projection(x_ND) / std::sqrt(static_cast<double>(x_ND.size(-1))));
  return (per_layer_projection_norm(projected_NLP) + of_token_NLP) * std::sqrt(0.5);
}

void PerLayerInputs::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visitor(prefix + "embed_tokens_per_layer.weight", embed_tokens_per_layer);
  per_layer_model_projection.visit(prefix + "per_layer_model_projection", visitor);
  per_layer_projection_norm.visit(prefix + "per_layer_projection_norm", visitor);
}

PerLayerBlock::PerLayerBlock(int64_t model_width, int64_t width, double epsilon)
    : per_layer_input_gate(model_width, width, false),
      per_layer_projection(width, model_width, false),
      post_per_layer_input_norm(model_width, epsilon, /*plus_one=*/false, /*wide=*/true) {}

Tensor PerLayerBlock::operator()(const Tensor& x_ND, const Tensor& input_NP) const {
  const Tensor gated_NP = kernels::geglu(per_layer_input_gate(x_ND), input_NP);
  return post_per_layer_input_norm(per_layer_projection(gated_NP));
}

void PerLayerBlock::visit(const std::string& prefix, const TensorVisitor& visitor) {
  per_layer_input_gate.visit(prefix + "per_layer_input_gate", visitor);
  per_layer_projection.visit(prefix + "per_layer_projection", visitor);
  post_per_layer_input_norm.visit(prefix + "post_per_layer_input_norm", visitor);
}

}  // namespace alambic
