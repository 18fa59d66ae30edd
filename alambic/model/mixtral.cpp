// Mixtral (Jiang et al., arXiv 2401.04088): Mistral's attention and, in every layer, routed
// experts.
#include "alambic/model/decoder.h"
#include "alambic/nn/moe.h"

namespace alambic {

std::unique_ptr<Model> make_mixtral(const Config& config) {
  const DecoderShape shape(config);
  const RouterOptions router = {.experts = config.experts("num_local_experts"),
                                .top_k = config.size("num_experts_per_tok"),
                                .norm_topk_prob = true};
  config.require(router.top_k <= router.experts, "num_experts_per_tok", "at most all experts");
  const int64_t window = config.has("sliding_window") ? config.length("sliding_window") : 0;
  auto model = make_plain_decoder(config, shape, std::vector<int64_t>(shape.layers, window));
  const ExpertNames names = {.block = "block_sparse_moe", .maps = {"w1", "w3", "w2"}};
  for (DecoderLayer& layer : model->layers) {
    layer.mlp = std::make_unique<Moe>(shape.mlp, router, names);
  }
  return model;
}

}  // namespace alambic
