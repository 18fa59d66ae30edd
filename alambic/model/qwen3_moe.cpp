// Qwen3 with routed experts (arXiv 2505.09388): heads normalized before rotation; layers that
// mlp_only_layers or decoder_sparse_step leave out are dense.
#include <algorithm>

#include "alambic/model/decoder.h"
#include "alambic/nn/moe.h"

namespace alambic {

namespace {

bool is_dense(const Config& config, int64_t layer) {
  if (config.has("mlp_only_layers")) {
    const std::vector<int64_t> dense = config.integers("mlp_only_layers");
    if (std::ranges::find(dense, layer) != dense.end()) return true;
  }
  return (layer + 1) % config.length("decoder_sparse_step") != 0;
}

}  // namespace

std::unique_ptr<Model> make_qwen3_moe(const Config& config) {
  const DecoderShape shape(config);
  const RouterOptions router = {.experts = config.experts("num_experts"),
                                .top_k = config.size("num_experts_per_tok"),
                                .norm_topk_prob = config.flag("norm_topk_prob")};
  config.require(router.top_k <= router.experts, "num_experts_per_tok", "at most all experts");
  config.require(!config.flag("use_sliding_window"), "use_sliding_window", "false");
  auto model = make_plain_decoder(config, shape, {}, /*norm_heads=*/true);
  const MlpShape expert = {.width = shape.mlp.width, .inner = config.size("moe_intermediate_size")};
  for (int64_t i = 0; i < shape.layers; ++i) {
    if (!is_dense(config, i)) model->layers[i].mlp = std::make_unique<Moe>(expert, router);
  }
  return model;
}

}  // namespace alambic
