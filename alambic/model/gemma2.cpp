// Gemma 2 (arXiv 2408.00118): soft-capped scores and logits, every other layer with a window.
#include <cmath>

#include "alambic/model/gemma.h"

namespace alambic {

Gemma::Gemma(const Config& config) : shape(config) {
  shape.mlp.gate = Gate::gelu_tanh;
  config.require(config.text("hidden_activation") == "gelu_pytorch_tanh", "hidden_activation",
                 "\"gelu_pytorch_tanh\"");
  config.require(!config.flag("use_bidirectional_attention", false), "use_bidirectional_attention",
                 "false");
  const double scalar = config.number("query_pre_attn_scalar");
  config.require(scalar > 0, "query_pre_attn_scalar", "a positive number");
  attention = {.scale = 1 / std::sqrt(scalar),
               .softcap = config.number("attn_logit_softcapping", 0)};
  model = std::make_unique<Decoder>(config, shape, NormPlacement::around, /*plus_one=*/true);
  model->embedding_scale = std::sqrt(static_cast<double>(model->sizes.width));
  model->head_softcap = config.number("final_logit_softcapping", 0);
}

std::unique_ptr<Model> make_gemma2(const Config& config) {
  Gemma gemma(config);
  const DecoderShape& shape = gemma.shape;
  for (const int64_t window : layer_windows(config)) {
    gemma.attention.window = window;
    gemma.model->add(
        {.attention = std::make_unique<SelfAttention>(shape.attention, gemma.attention),
         .mlp = std::make_unique<DenseMlp>(shape.mlp)});
  }
  gemma.model->ropes.emplace_back(shape.attention.head_width, config.rope());
  return std::move(gemma.model);
}

}  // namespace alambic
