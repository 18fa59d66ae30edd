// DeepSeek-V4 (transformers' modeling_deepseek_v4.py): attention to windows and compressed entries,
// hyper-connections around each block, experts that the first layers choose by the token's id.
// Tensors have the names that transformers saves, the published ones after "model.".
#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/model/config.h"
#include "alambic/model/deepseek_v4/compressed_attention.h"
#include "alambic/model/deepseek_v4/hyper_connection.h"
#include "alambic/model/model.h"
#include "alambic/nn/moe.h"
#include "alambic/nn/recompute.h"

namespace alambic {
namespace {

constexpr int64_t max_iterations = 1000;  // rounds of hyper-connections, in every layer and pass

enum class Reach { window, chosen_entries, all_entries };

struct Layer {
  RmsNorm attn_norm, ffn_norm;
  CompressedAttention attention;
  Moe experts;
  Tensor expert_VK;  ///< int64, the experts of each token; undefined: the router chooses
  HyperConnection around_attention, around_experts;
  bool stretched = false;  ///< takes the second rope

  Tensor operator()(const Tensor& x_NSD, const Rope& rope, const Rotation& rotation,
                    const Pass& pass, int64_t index) const {
    const auto before = around_attention.read(x_NSD);
    const Tensor mixed_ND = attention.forward(attn_norm(before.x_ND), rope, rotation, pass, index);
    const Tensor y_NSD = around_attention.write(x_NSD, before, mixed_ND);
    const auto between = around_experts.read(y_NSD);
    const Tensor y_ND = ffn_norm(between.x_ND);
    const Tensor given_NK =
        expert_VK.defined() ? expert_VK.index_select(0, pass.tokens_N) : Tensor();
    return around_experts.write(y_NSD, between,
                                experts.forward(y_ND, experts.router(y_ND, pass, given_NK)));
  }
};

struct DeepSeekV4 : Model {
  ModelShape sizes;
  double deviation = 0.02;
  bool tied = false;
  Weight embed;
  std::vector<Layer> layers;
  HyperHead collapse;
  RmsNorm norm;
  Linear lm_head;
  Rope plain, stretched;

  explicit DeepSeekV4(const HyperShape& hyper) : collapse(hyper) {}

  ModelShape shape() const override { return sizes; }

  void visit(const TensorVisitor& visitor) override {
    visitor("model.embed_tokens.weight", embed);
    for (size_t i = 0; i < layers.size(); ++i) {
      Layer& layer = layers[i];
      const std::string prefix = "model.layers." + std::to_string(i) + ".";
      layer.around_attention.visit(prefix + "hc_attn", visitor);
      layer.attn_norm.visit(prefix + "attn_norm", visitor);
      layer.attention.visit(prefix + "attn.", visitor);
      layer.around_experts.visit(prefix + "hc_ffn", visitor);
      layer.ffn_norm.visit(prefix + "ffn_norm", visitor);
      layer.experts.visit(prefix, visitor);
      if (layer.expert_VK.defined()) visitor(prefix + "ffn.gate.tid2eid", layer.expert_VK);
    }
    collapse.visit("model.hc_head.hc", visitor);
    norm.visit("model.norm", visitor);
    if (!tied) lm_head.visit("head", visitor);
  }

  // The published files have no "model." and call this norm kv_norm.
  std::string canonical_name(const std::string& name) const override {
    if (name == "head.weight" || name == "lm_head.weight") return tied ? "" : "head.weight";
    if (name == "embed.weight") return "model.embed_tokens.weight";
    if (name == "norm.weight") return "model.norm.weight";
    if (name.starts_with("hc_head_")) return "model.hc_head.hc_" + name.substr(8);
    std::string found = name.starts_with("layers.") ? "model." + name : name;
    const size_t at = found.find(".attn.kv_norm.");
    if (at != std::string::npos) found.replace(at, 14, ".attn.norm.");
    return found;
  }
  std::string ignored_reason(const std::string& name) const override {
    const bool predictor = name.starts_with("mtp.") || name.starts_with("model.mtp.");
    return predictor ? "layers for multi-token prediction" : "";
  }

  Tensor hidden_rows(const Pass& pass) const override {
    const int64_t streams = collapse.shape.streams;
    Tensor x_NSD = embed.rows(pass.tokens_N).unsqueeze(1).expand({-1, streams, -1});
    const Rotation plain_at = plain.at(pass.positions_N);
    const Rotation stretched_at = stretched.at(pass.positions_N);
    const LayerRuns runs(pass);
    for (int64_t i = 0; i < std::ssize(layers); ++i) {
      const Layer& layer = layers[i];
      const Rope& rope = layer.stretched ? stretched : plain;
      const Rotation rotation = layer.stretched ? stretched_at : plain_at;
      x_NSD = runs.run([&layer, &rope, rotation, i,
                        runs](const Tensor& y) { return layer(y, rope, rotation, runs.pass(), i); },
                       x_NSD);
    }
    return norm(collapse(x_NSD));
  }

  Head head() const override { return {.weight_VD = tied ? embed : lm_head.weight}; }
  bool has_hidden_states() const override { return false; }  // several streams, not one

  void move_buffers(at::Device device, at::ScalarType dtype) override {
    plain.to(device, dtype);
    stretched.to(device, dtype);
    for (const Layer& layer : layers) {
      const Tensor& table = layer.expert_VK;
      if (!table.defined() || table.is_meta()) continue;
      const int64_t experts = layer.experts.router.options.experts;
      if (table.min().item<int64_t>() < 0 || table.max().item<int64_t>() >= experts) {
        throw input_error(
            "cannot use the model: a tensor ffn.gate.tid2eid names experts from {} to {}, but "
            "config.json has {}",
            table.min().item<int64_t>(), table.max().item<int64_t>(), experts);
      }
    }
  }

  bool is_constant(const std::string& name) const override {
    return is_table(name) || is_correction(name) || is_indexer(name);
  }
  at::ScalarType type_of(const std::string& name, at::ScalarType dtype) const override {
    if (is_table(name)) return at::kLong;
    return is_indexer(name) ? dtype : Model::type_of(name, dtype);
  }
  double init_deviation(const std::string& name) const override {
    for (const char* end : {"norm.weight", "_base", "_scale", ".ape", ".attn_sink", ".bias"}) {
      if (name.ends_with(end)) return 0;
    }
    return deviation;
  }
  double init_constant(const std::string& name) const override {
    return name.ends_with("norm.weight") || name.ends_with("_scale") ? 1 : 0;
  }
  // Experts in turn, so that each has as many tokens as the others.
  Tensor init_table(const std::string& name) const override {
    if (!is_table(name)) return {};
    const RouterOptions& router = layers.front().experts.router.options;
    return at::arange(sizes.vocabulary * router.top_k, at::kLong)
        .remainder(router.experts)
        .view({sizes.vocabulary, router.top_k});
  }

 private:
  static bool is_table(const std::string& name) { return name.ends_with(".tid2eid"); }
  static bool is_correction(const std::string& name) { return name.ends_with(".gate.bias"); }
  static bool is_indexer(const std::string& name) {
    return name.find(".attn.indexer.") != std::string::npos;
  }
};

std::vector<Reach> reaches(const Config& config) {
  std::vector<Reach> result;
  for (const std::string& type : config.texts("layer_types")) {
    if (type == "sliding_attention") {
      result.push_back(Reach::window);
    } else if (type == "compressed_sparse_attention") {
      result.push_back(Reach::chosen_entries);
    } else {
      config.require(type == "heavily_compressed_attention", "layer_types",
                     "a list of \"sliding_attention\", \"compressed_sparse_attention\" and "
                     "\"heavily_compressed_attention\"");
      result.push_back(Reach::all_entries);
    }
  }
  return result;
}

// Layers that choose experts by the token.
std::vector<bool> by_token(const Config& config) {
  std::vector<bool> result;
  for (const std::string& type : config.texts("mlp_layer_types")) {
    config.require(type == "hash_moe" || type == "moe", "mlp_layer_types",
                   "a list of \"hash_moe\" and \"moe\"");
    result.push_back(type == "hash_moe");
  }
  return result;
}

int64_t stride_of(const Config& config, Reach reach) {
  const JsonFields rates = config.object("compress_rates");
  const std::string key = reach == Reach::chosen_entries ? "compressed_sparse_attention"
                                                         : "heavily_compressed_attention";
  const int64_t stride = rates.integer(key);
  rates.expect(stride >= 1, key, "a positive size below 2^31");
  return stride;
}

RouterOptions router_options(const Config& config) {
  RouterOptions router = {.experts = config.experts("n_routed_experts"),
                          .top_k = config.size("num_experts_per_tok"),
                          .norm_topk_prob = true,
                          .scores = Scores::root_softplus,
                          .scaling = config.number("routed_scaling_factor")};
  const std::string scores = config.text("scoring_func");
  config.require(scores == "sqrtsoftplus" || scores == "sigmoid", "scoring_func",
                 "\"sqrtsoftplus\" or \"sigmoid\"");
  if (scores == "sigmoid") router.scores = Scores::sigmoid;
  config.require(config.flag("norm_topk_prob"), "norm_topk_prob", "true");
  config.require(router.top_k <= router.experts, "num_experts_per_tok", "at most all experts");
  return router;
}

CompressedShape attention_shape(const Config& config, double epsilon) {
  const CompressedShape shape = {.width = config.size("hidden_size"),
                                 .heads = config.size("num_attention_heads"),
                                 .head_width = config.size("head_dim"),
                                 .query_rank = config.size("q_lora_rank"),
                                 .groups = config.size("o_groups"),
                                 .group_rank = config.size("o_lora_rank"),
                                 .window = config.length("sliding_window"),
                                 .epsilon = epsilon};
  config.require(config.size("num_key_value_heads") == 1, "num_key_value_heads", "1");
  config.require(!config.flag("attention_bias"), "attention_bias", "false");
  config.require(shape.heads * shape.head_width % shape.groups == 0, "o_groups",
                 "a divisor of num_attention_heads times head_dim");
  return shape;
}

void add_compressor(CompressedAttention& attention, const Config& config, Reach reach) {
  if (reach == Reach::window) return;
  CompressorShape compressor = {.width = attention.shape.width,
                                .entry = attention.shape.head_width,
                                .stride = stride_of(config, reach),
                                .overlapping = reach == Reach::chosen_entries,
                                .epsilon = attention.shape.epsilon};
  attention.compressor.emplace(compressor);
  if (reach == Reach::all_entries) return;
  compressor.entry = config.size("index_head_dim");
  attention.indexer.emplace(EntryIndexerShape{.query_rank = attention.shape.query_rank,
                                              .heads = config.size("index_n_heads"),
                                              .top_k = config.length("index_topk"),
                                              .compressor = compressor});
}

}  // namespace

std::unique_ptr<Model> make_deepseek_v4(const Config& config) {
  config.require(config.text("hidden_act") == "silu", "hidden_act", "\"silu\"");
  config.require(!config.flag("mlp_bias"), "mlp_bias", "false");
  config.require(config.integer("n_shared_experts") == 1, "n_shared_experts", "1");
  const double epsilon = config.number("rms_norm_eps");
  const CompressedShape attention = attention_shape(config, epsilon);
  const HyperShape hyper = {.width = attention.width,
                            .streams = config.size("hc_mult"),
                            .iterations = config.length("hc_sinkhorn_iters"),
                            .epsilon = config.number("hc_eps"),
                            .norm_epsilon = epsilon};
  config.require(hyper.iterations <= max_iterations, "hc_sinkhorn_iters", "at most 1000");
  const MlpShape expert = {.width = attention.width,
                           .inner = config.size("moe_intermediate_size"),
                           .limit = config.number("swiglu_limit")};
  config.require(expert.limit > 0, "swiglu_limit", "a number above 0");
  const ExpertNames names = {.block = "ffn", .maps = {"w1", "w3", "w2"}, .correction = "bias"};
  const int64_t count = config.layers("num_hidden_layers");
  const std::vector<Reach> reach = reaches(config);
  const std::vector<bool> given = by_token(config);

  auto model = std::make_unique<DeepSeekV4>(hyper);
  model->sizes = {.vocabulary = config.size("vocab_size"),
                  .width = attention.width,
                  .streams = hyper.streams,
                  .positions = config.length("max_position_embeddings"),
                  .cache = {count, 1, attention.head_width, 0}};
  model->deviation = config.number("initializer_range");
  model->tied = config.flag("tie_word_embeddings");
  model->embed = placeholder({model->sizes.vocabulary, attention.width});
  for (int64_t i = 0; i < count; ++i) {
    RouterOptions router = router_options(config);
    router.has_correction_bias = !given[i];
    Layer layer = {.attn_norm = {attention.width, epsilon},
                   .ffn_norm = {attention.width, epsilon},
                   .attention = CompressedAttention(attention),
                   .experts = Moe(expert, router, names, expert.inner),
                   .expert_VK = {},
                   .around_attention = HyperConnection(hyper),
                   .around_experts = HyperConnection(hyper),
                   .stretched = reach[i] != Reach::window};
    if (given[i]) layer.expert_VK = placeholder({model->sizes.vocabulary, router.top_k});
    add_compressor(layer.attention, config, reach[i]);
    model->sizes.cache.each.push_back({.kv_heads = 1,
                                       .head_width = attention.head_width,
                                       .value_width = 0,
                                       .sides = layer.attention.sides()});
    model->layers.push_back(std::move(layer));
  }
  model->norm = {attention.width, epsilon};
  if (!model->tied) model->lm_head = {attention.width, model->sizes.vocabulary, false};
  model->plain = Rope(attention.head_width, config.rope("main"));
  model->stretched = Rope(attention.head_width, config.rope("compress"));
  const int64_t turning = 2 * model->stretched.frequency_d.size(0);
  config.require(turning == 2 * model->plain.frequency_d.size(0) && turning <= attention.head_width,
                 "partial_rotary_factor",
                 "a share (or qk_rope_head_dim) of even parts of head_dim");
  for (const Layer& layer : model->layers) {
    config.require(
        !layer.attention.indexer || layer.attention.indexer->compressor.shape.entry >= turning,
        "index_head_dim", "at least what partial_rotary_factor turns of head_dim");
  }
  return model;
}

}  // namespace alambic
