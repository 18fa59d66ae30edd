// DeepSeek-V2 and V2-Lite (arXiv 2405.04434), V3 and R1 (arXiv 2412.19437): latent attention, and
// after the first layers routed experts beside one that sees every token. V3.2 (arXiv 2512.02556)
// attends to the positions that an indexer chooses.
#include <charconv>
#include <cmath>

#include "alambic/model/decoder.h"
#include "alambic/nn/latent_attention.h"
#include "alambic/nn/moe.h"

namespace alambic {
namespace {

struct DeepSeek : Decoder {
  int64_t predictors = 0;  ///< layers behind the last that predict further tokens (V3)

  using Decoder::Decoder;

  std::string ignored_reason(const std::string& name) const override {
    const std::string start = "model.layers.";
    if (!name.starts_with(start)) return "";
    int64_t layer = -1;
    std::from_chars(name.data() + start.size(), name.data() + name.size(), layer);
    const bool beyond = layer >= std::ssize(layers) && layer < std::ssize(layers) + predictors;
    return beyond ? "layers for multi-token prediction" : "";
  }
  bool is_constant(const std::string& name) const override {
    return is_correction(name) || is_indexer(name);
  }
  at::ScalarType type_of(const std::string& name, at::ScalarType dtype) const override {
    return is_indexer(name) ? dtype : Decoder::type_of(name, dtype);
  }
  double init_deviation(const std::string& name) const override {
    return is_correction(name) ? 0 : Decoder::init_deviation(name);
  }
  double init_constant(const std::string& name) const override {
    return is_correction(name) ? 0 : Decoder::init_constant(name);
  }

 private:
  static bool is_correction(const std::string& name) {
    return name.ends_with(".e_score_correction_bias");
  }
  static bool is_indexer(const std::string& name) {
    return name.find(".self_attn.indexer.") != std::string::npos;
  }
};

LatentShape latent_shape(const Config& config) {
  LatentShape shape = {.width = config.size("hidden_size"),
                       .heads = config.size("num_attention_heads"),
                       .query_rank = config.has("q_lora_rank") ? config.size("q_lora_rank") : 0,
                       .latent_rank = config.size("kv_lora_rank"),
                       .nope_width = config.size("qk_nope_head_dim"),
                       .rope_width = config.size("qk_rope_head_dim"),
                       .value_width = config.size("v_head_dim"),
                       .bias = config.flag("attention_bias"),
                       .interleaved = config.truth("rope_interleave", true)};
  config.require(shape.rope_width % 2 == 0, "qk_rope_head_dim", "an even width");
  return shape;
}

// Sizes of the decoder; its cache holds latents, one to a position.
DecoderShape decoder_shape(const Config& config, const LatentShape& latent) {
  DecoderShape shape;
  shape.attention = {.width = latent.width,
                     .heads = latent.heads,
                     .kv_heads = 1,
                     .head_width = latent.cache_width()};
  shape.mlp = {.width = latent.width, .inner = config.size("intermediate_size")};
  shape.layers = config.layers("num_hidden_layers");
  return shape;
}

// Factor of the scores: where YaRN stretches positions, queries and keys are both larger by its m.
double score_scale(const LatentShape& shape, const RopeSettings& rope) {
  const double m = rope.type != "default" && rope.mscale_all_dim != 0
                       ? yarn_magnitude(rope.factor, rope.mscale_all_dim)
                       : 1;
  return m * m / std::sqrt(static_cast<double>(shape.query_width()));
}

RouterOptions router_of(const Config& config) {
  RouterOptions router = {.experts = config.experts("n_routed_experts"),
                          .top_k = config.size("num_experts_per_tok"),
                          .scaling = config.number("routed_scaling_factor")};
  config.require(config.integer("moe_layer_freq", 1) == 1, "moe_layer_freq", "1");
  return router;
}

void add_groups(RouterOptions& router, const Config& config, int64_t summed) {
  router.groups = config.size("n_group");
  router.topk_group = config.size("topk_group");
  router.summed = summed;
  const int64_t members = router.experts / router.groups;
  config.require(
      router.experts % router.groups == 0 && members >= summed, "n_group",
      "a divisor of n_routed_experts that leaves groups of at least " + std::to_string(summed));
  config.require(router.topk_group <= router.groups, "topk_group", "at most n_group");
  config.require(router.top_k <= router.topk_group * members, "num_experts_per_tok",
                 "at most the experts of topk_group groups");
}

// Layers without experts: by "mlp_layer_types" where it is given (V3.2), else the first.
std::vector<bool> dense_layers(const Config& config, int64_t layers) {
  std::vector<bool> dense;
  if (!config.has("mlp_layer_types")) {
    const int64_t first = config.integer("first_k_dense_replace");
    for (int64_t i = 0; i < layers; ++i) dense.push_back(i < first);
    return dense;
  }
  for (const std::string& type : config.texts("mlp_layer_types")) {
    config.require(type == "dense" || type == "sparse", "mlp_layer_types",
                   "a list of \"dense\" and \"sparse\"");
    dense.push_back(type == "dense");
  }
  return dense;
}

std::unique_ptr<Model> make(const Config& config, const RouterOptions& router,
                            const std::optional<IndexerShape>& indexer = {}) {
  config.require(config.text("hidden_act") == "silu", "hidden_act", "\"silu\"");
  config.require(!config.flag("mlp_bias", false), "mlp_bias", "false");
  config.require(router.top_k <= router.experts, "num_experts_per_tok", "at most all experts");
  const LatentShape latent = latent_shape(config);
  const DecoderShape shape = decoder_shape(config, latent);
  const RopeSettings rope = config.rope();
  const MlpShape expert = {.width = latent.width, .inner = config.size("moe_intermediate_size")};
  const int64_t shared = expert.inner * config.size("n_shared_experts");
  const std::vector<bool> dense = dense_layers(config, shape.layers);
  auto model = std::make_unique<DeepSeek>(config, shape);
  for (int64_t i = 0; i < shape.layers; ++i) {
    auto attention = std::make_unique<LatentAttention>(latent, score_scale(latent, rope));
    if (indexer) attention->indexer.emplace(*indexer);
    DecoderLayer layer = {.attention = std::move(attention)};
    if (dense[i]) {
      layer.mlp = std::make_unique<DenseMlp>(shape.mlp);
    } else {
      layer.mlp = std::make_unique<Moe>(expert, router, ExpertNames{}, shared);
    }
    model->add(std::move(layer));
  }
  model->sizes.cache.value_width = indexer ? indexer->head_width : 0;
  model->ropes.emplace_back(latent.rope_width, rope);
  model->predictors = config.integer("num_nextn_predict_layers", 0);
  return model;
}

}  // namespace

std::unique_ptr<Model> make_deepseek_v2(const Config& config) {
  RouterOptions router = router_of(config);
  const std::string method = config.text("topk_method", "greedy");
  config.require(config.text("scoring_func", "softmax") == "softmax", "scoring_func",
                 "\"softmax\"");
  config.require(method == "greedy" || method == "group_limited_greedy", "topk_method",
                 "\"greedy\" or \"group_limited_greedy\"");
  // The authors' code then leaves out routed_scaling_factor, transformers the division.
  config.require(!config.flag("norm_topk_prob", false), "norm_topk_prob", "false");
  if (method == "group_limited_greedy") add_groups(router, config, 1);
  return make(config, router);
}

namespace {

RouterOptions corrected_router(const Config& config) {
  RouterOptions router = router_of(config);
  config.require(config.text("scoring_func", "sigmoid") == "sigmoid", "scoring_func",
                 "\"sigmoid\"");
  config.require(config.text("topk_method", "noaux_tc") == "noaux_tc", "topk_method",
                 "\"noaux_tc\"");
  router.norm_topk_prob = config.truth("norm_topk_prob", true);
  router.scores = Scores::sigmoid;
  router.has_correction_bias = true;
  add_groups(router, config, 2);
  return router;
}

}  // namespace

std::unique_ptr<Model> make_deepseek_v3(const Config& config) {
  return make(config, corrected_router(config));
}

std::unique_ptr<Model> make_deepseek_v32(const Config& config) {
  const IndexerShape indexer = {.width = config.size("hidden_size"),
                                .query_rank = config.size("q_lora_rank"),
                                .heads = config.size("index_n_heads"),
                                .head_width = config.size("index_head_dim"),
                                .top_k = config.length("index_topk")};
  config.require(indexer.head_width >= config.size("qk_rope_head_dim"), "index_head_dim",
                 "at least qk_rope_head_dim");
  config.require(config.flag("rope_interleave", true), "rope_interleave", "true");
  for (const std::string& type : config.texts("layer_types")) {
    config.require(type == "indexed_attention", "layer_types", "\"indexed_attention\"");
  }
  return make(config, corrected_router(config), indexer);
}

}  // namespace alambic
