// Qwen3 with routed experts (arXiv 2505.09388): heads normalized before rotation; layers that
// mlp_only_layers or decoder_sparse_step leave out are dense.
#include <algorithm>

#include "alambic/model/decoder.h"
#include "alambic/nn/moe.h"

namespace alambic {

namespace {

bool is_dense(const Config& config, int64_t layer) {
  const int64_t step = config.length("decoder_sparse_step", 1);
  if (config.has("mlp_only_layers")) {
    const auto& dense = config.json["mlp_only_layers"];
    config.require(dense.is_array(), "mlp_only_layers", "a list of layers");
    if (std::find(dense.begin(), dense.end(), Json(layer)) != dense.end()) return true;
  }
  return (layer + 1) % step != 0;
}

}  // namespace

std::unique_ptr<Model> make_qwen3_moe(const Config& config) {
  DecoderShape shape(config);
  shape.attention.qkv_bias = shape.attention.output_bias = config.flag("attention_bias", false);
  // transformers 5 writes num_local_experts.
  const RouterOptions router = {
      .experts = config.experts("num_experts", config.experts("num_local_experts", 128)),
      .top_k = config.size("num_experts_per_tok", 8),
      .norm_topk_prob = config.flag("norm_topk_prob", false)};
  config.require(router.top_k <= router.experts, "num_experts_per_tok", "at most all experts");
  config.require(!config.flag("use_sliding_window", false), "use_sliding_window", "false");
  auto model = make_plain_decoder(config, shape, {}, /*norm_heads=*/true);
  const MlpShape expert = {.width = shape.mlp.width, .inner = config.size("moe_intermediate_size")};
  for (int64_t i = 0; i < shape.layers; ++i) {
    if (!is_dense(config, i)) model->layers[i].mlp = std::make_unique<Moe>(expert, router);
  }
  return model;
}

}  // namespace alambic
