// OLMo 2 (arXiv 2501.00656): norms after attention and MLP instead of before, and norms of queries
// and keys over all heads together.
#include "alambic/model/decoder.h"

namespace alambic {

std::unique_ptr<Model> make_olmo2(const Config& config) {
  const DecoderShape shape(config);
  config.require(config.text("hidden_act") == "silu", "hidden_act", "\"silu\"");
  auto model = std::make_unique<Decoder>(config, shape, NormPlacement::after);
  const AttentionShape& a = shape.attention;
  for (int64_t i = 0; i < shape.layers; ++i) {
    auto attention = std::make_unique<SelfAttention>(a, AttentionOptions{.scale = shape.scale()});
    attention->q_norm = model->make_norm(a.heads * a.head_width);
    attention->k_norm = model->make_norm(a.kv_heads * a.head_width);
    model->add({.attention = std::move(attention), .mlp = std::make_unique<DenseMlp>(shape.mlp)});
  }
  model->ropes.emplace_back(a.head_width, config.rope());
  return model;
}

}  // namespace alambic
