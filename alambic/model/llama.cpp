// Llama 2/3 and whatever shares its graph (Touvron et al., arXiv 2302.13971): RMSNorm before
// attention and MLP, rotary positions, grouped queries, gated SiLU.
#include "alambic/kernels/activation.h"
#include "alambic/kernels/rope.h"
#include "alambic/model/config.h"
#include "alambic/model/model.h"
#include "alambic/nn/attention.h"
#include "alambic/nn/linear.h"
#include "alambic/nn/norm.h"
#include "alambic/nn/rope.h"

namespace alambic {
namespace {

struct LlamaLayer {
  RmsNorm input_layernorm, post_attention_layernorm;
  Linear q_proj, k_proj, v_proj, o_proj;
  Linear gate_proj, up_proj, down_proj;

  void visit(const std::string& prefix, const TensorVisitor& visitor) {
    input_layernorm.visit(prefix + "input_layernorm", visitor);
    q_proj.visit(prefix + "self_attn.q_proj", visitor);
    k_proj.visit(prefix + "self_attn.k_proj", visitor);
    v_proj.visit(prefix + "self_attn.v_proj", visitor);
    o_proj.visit(prefix + "self_attn.o_proj", visitor);
    post_attention_layernorm.visit(prefix + "post_attention_layernorm", visitor);
    gate_proj.visit(prefix + "mlp.gate_proj", visitor);
    up_proj.visit(prefix + "mlp.up_proj", visitor);
    down_proj.visit(prefix + "mlp.down_proj", visitor);
  }
};

struct Llama : Model {
  ModelShape sizes;
  int64_t heads, kv_heads, head_width;
  double deviation;
  bool tied;
  Tensor embed_tokens;
  std::vector<LlamaLayer> layers;
  RmsNorm norm;
  Linear lm_head;
  Rope rope;

  explicit Llama(const Config& config)
      : heads(config.size("num_attention_heads")),
        kv_heads(config.size("num_key_value_heads", heads)),
        head_width(config.size("head_dim", config.size("hidden_size") / heads)),
        deviation(config.number("initializer_range", 0.02)),
        tied(config.flag("tie_word_embeddings", false)) {
    const int64_t width = config.size("hidden_size"), inner = config.size("intermediate_size");
    const double epsilon = config.number("rms_norm_eps", 1e-6);
    const bool attention_bias = config.flag("attention_bias", false);
    const bool mlp_bias = config.flag("mlp_bias", false);
    config.require(config.text("hidden_act", "silu") == "silu", "hidden_act", "\"silu\"");
    config.require(heads % kv_heads == 0, "num_key_value_heads", "a divisor of the heads");
    config.require(head_width % 2 == 0, "head_dim", "an even width");
    sizes = {.vocabulary = config.size("vocab_size"),
             .width = width,
             .positions = config.size("max_position_embeddings", 2048),
             .cache = {config.size("num_hidden_layers"), kv_heads, head_width}};
    embed_tokens = placeholder({sizes.vocabulary, width});
    for (int64_t i = 0; i < sizes.cache.layers; ++i) {
      layers.push_back({.input_layernorm = {width, epsilon},
                        .post_attention_layernorm = {width, epsilon},
                        .q_proj = {width, heads * head_width, attention_bias},
                        .k_proj = {width, kv_heads * head_width, attention_bias},
                        .v_proj = {width, kv_heads * head_width, attention_bias},
                        .o_proj = {heads * head_width, width, attention_bias},
                        .gate_proj = {width, inner, mlp_bias},
                        .up_proj = {width, inner, mlp_bias},
                        .down_proj = {inner, width, mlp_bias}});
    }
    norm = {width, epsilon};
    if (!tied) lm_head = {width, sizes.vocabulary, false};
    rope = Rope(sizes.positions, head_width, config.rope_theta());
  }

  ModelShape shape() const override { return sizes; }

  void visit(const TensorVisitor& visitor) override {
    visitor("model.embed_tokens.weight", embed_tokens);
    for (size_t i = 0; i < layers.size(); ++i) {
      layers[i].visit("model.layers." + std::to_string(i) + ".", visitor);
    }
    norm.visit("model.norm", visitor);
    if (!tied) lm_head.visit("lm_head", visitor);
  }

  // Some exporters write the tied head a second time, and old ones their rotary tables.
  std::string canonical_name(const std::string& name) const override {
    if (tied && name == "lm_head.weight") return "";
    return name.ends_with("rotary_emb.inv_freq") ? "" : name;
  }

  Tensor hidden(const Pass& pass) const override {
    Tensor x = at::embedding(embed_tokens, pass.input.tokens_N);
    const Tensor cos = rope.cos_Td.index_select(0, pass.positions_N);
    const Tensor sin = rope.sin_Td.index_select(0, pass.positions_N);
    const double scale = 1 / std::sqrt(static_cast<double>(head_width));
    for (size_t i = 0; i < layers.size(); ++i) {
      const LlamaLayer& layer = layers[i];
      const Tensor a = layer.input_layernorm(x);
      const Tensor q = kernels::rope(layer.q_proj(a).view({-1, heads, head_width}), cos, sin);
      const Tensor k = kernels::rope(layer.k_proj(a).view({-1, kv_heads, head_width}), cos, sin);
      const Tensor v = layer.v_proj(a).view({-1, kv_heads, head_width});
      x = x + layer.o_proj(attend(q, k, v, pass, static_cast<int64_t>(i), scale));
      const Tensor m = layer.post_attention_layernorm(x);
      x = x + layer.down_proj(kernels::swiglu(layer.gate_proj(m), layer.up_proj(m)));
    }
    return norm(x);
  }

  Head head() const override { return {.weight_VD = tied ? embed_tokens : lm_head.weight}; }

  void settle(at::Device device, at::ScalarType dtype) override { rope.to(device, dtype); }

  double init_deviation(const std::string& name) const override {
    return name.ends_with("norm.weight") || name.ends_with(".bias") ? 0 : deviation;
  }
};

}  // namespace

std::unique_ptr<Model> make_llama(const Config& config) { return std::make_unique<Llama>(config); }

}  // namespace alambic
