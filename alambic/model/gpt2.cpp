// GPT-2 (Radford et al., 2019): LayerNorm before attention and MLP, learned positions, one fused
// q|k|v projection, input-major weights (Conv1D), a head that is usually tied.
#include "alambic/kernels/activation.h"
#include "alambic/model/config.h"
#include "alambic/model/model.h"
#include "alambic/nn/heads.h"
#include "alambic/nn/linear.h"
#include "alambic/nn/norm.h"
#include "alambic/nn/recompute.h"

namespace alambic {
namespace {

struct Gpt2Layer {
  LayerNorm ln_1, ln_2;
  Linear c_attn, attn_proj, c_fc, mlp_proj;

  void visit(const std::string& prefix, const TensorVisitor& visitor) {
    ln_1.visit(prefix + "ln_1", visitor);
    c_attn.visit(prefix + "attn.c_attn", visitor);
    attn_proj.visit(prefix + "attn.c_proj", visitor);
    ln_2.visit(prefix + "ln_2", visitor);
    c_fc.visit(prefix + "mlp.c_fc", visitor);
    mlp_proj.visit(prefix + "mlp.c_proj", visitor);
  }
};

struct Gpt2 : Model {
  ModelShape sizes;
  int64_t heads, head_width;
  double deviation;
  Weight wte;
  Tensor wpe;
  std::vector<Gpt2Layer> layers;
  LayerNorm ln_f;
  bool tied;
  Linear lm_head;

  explicit Gpt2(const Config& config)
      : heads(config.size("n_head")),
        head_width(config.size("n_embd") / heads),
        deviation(config.number("initializer_range")),
        tied(config.flag("tie_word_embeddings")) {
    const int64_t width = config.size("n_embd"), inner = config.size("n_inner");
    const double epsilon = config.number("layer_norm_epsilon");
    config.require(config.text("activation_function") == "gelu_new", "activation_function",
                   "\"gelu_new\"");
    config.require(!config.flag("scale_attn_by_inverse_layer_idx"),
                   "scale_attn_by_inverse_layer_idx", "false");
    config.require(config.flag("scale_attn_weights"), "scale_attn_weights", "true");
    config.require(width % heads == 0, "n_embd", "a multiple of n_head");
    sizes = {.vocabulary = config.size("vocab_size"),
             .width = width,
             .positions = config.size("n_positions"),
             .cache = {config.layers("n_layer"), heads, head_width}};
    wte = placeholder({sizes.vocabulary, width});
    wpe = placeholder({sizes.positions, width});
    const auto conv1d = WeightLayout::input_major;
    for (int64_t i = 0; i < sizes.cache.layers; ++i) {
      layers.push_back({.ln_1 = {width, epsilon},
                        .ln_2 = {width, epsilon},
                        .c_attn = {width, 3 * width, true, conv1d},
                        .attn_proj = {width, width, true, conv1d},
                        .c_fc = {width, inner, true, conv1d},
                        .mlp_proj = {inner, width, true, conv1d}});
    }
    ln_f = {width, epsilon};
    if (!tied) lm_head = {width, sizes.vocabulary, false};
  }

  ModelShape shape() const override { return sizes; }

  void visit(const TensorVisitor& visitor) override {
    visitor("transformer.wte.weight", wte);
    visitor("transformer.wpe.weight", wpe);
    for (size_t i = 0; i < layers.size(); ++i) {
      layers[i].visit("transformer.h." + std::to_string(i) + ".", visitor);
      // The sums that the norms keep, which take one map's input each.
      visitor.activations([&](double) { return 2 * sizes.width; });
    }
    ln_f.visit("transformer.ln_f", visitor);
    if (!tied) lm_head.visit("lm_head", visitor);
  }

  std::vector<std::string> embedding_names() const override {
    return {"transformer.wte.weight", "transformer.wpe.weight"};
  }
  std::string layer_count_key() const override { return "n_layer"; }

  // The original files leave the prefix out and carry the causal mask as a buffer.
  std::string canonical_name(const std::string& name) const override {
    if (name == "lm_head.weight") return tied ? "" : name;
    if (name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias")) return "";
    return name.starts_with("transformer.") ? name : "transformer." + name;
  }

  Tensor through(int64_t i, const Tensor& x, const Pass& pass) const {
    const Gpt2Layer& layer = layers[i];
    const double scale = 1 / std::sqrt(static_cast<double>(head_width));
    const Tensor qkv = layer.c_attn(layer.ln_1(x)).view({-1, 3, heads, head_width});
    const Tensor read = attend({qkv.select(1, 0)}, {qkv.select(1, 1)}, qkv.select(1, 2), Rotation(),
                               pass, i, {.scale = scale});
    const Tensor y = x + layer.attn_proj(read);
    return y + layer.mlp_proj(kernels::gelu_tanh(layer.c_fc(layer.ln_2(y))));
  }

  Tensor hidden_rows(const Pass& pass) const override {
    Tensor x = wte.rows(pass.tokens_N) + at::embedding(wpe, pass.positions_N);
    const LayerRuns runs(pass);
    for (int64_t i = 0; i < std::ssize(layers); ++i) {
      x = runs.run([this, i, runs](const Tensor& y) { return through(i, y, runs.pass()); }, x);
      pass.show(i, x);
    }
    return ln_f(x);
  }

  Head head() const override { return {.weight_VD = tied ? wte : lm_head.weight}; }

  // Residual projections start smaller by the square root of the residual additions.
  double init_deviation(const std::string& name) const override {
    if (name.ends_with(".bias") || name.find(".ln_") != std::string::npos) return 0;
    if (name.ends_with("c_proj.weight")) {
      return deviation / std::sqrt(2.0 * static_cast<double>(layers.size()));
    }
    return deviation;
  }
};

}  // namespace

std::unique_ptr<Model> make_gpt2(const Config& config) { return std::make_unique<Gpt2>(config); }

}  // namespace alambic
