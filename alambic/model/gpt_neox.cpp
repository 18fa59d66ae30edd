// GPT-NeoX (arXiv 2204.06745), the Pythia models: LayerNorm, attention and MLP side by side on the
// residual stream, a quarter of each head turns, one matrix holds q|k|v of each head in turn.
#include <cmath>

#include "alambic/kernels/activation.h"
#include "alambic/model/config.h"
#include "alambic/model/model.h"
#include "alambic/nn/heads.h"
#include "alambic/nn/linear.h"
#include "alambic/nn/norm.h"
#include "alambic/nn/recompute.h"
#include "alambic/nn/rope.h"

namespace alambic {
namespace {

struct NeoxLayer {
  LayerNorm input_layernorm, post_attention_layernorm;
  Linear query_key_value, dense, dense_h_to_4h, dense_4h_to_h;

  void visit(const std::string& prefix, const TensorVisitor& visitor) {
    input_layernorm.visit(prefix + "input_layernorm", visitor);
    post_attention_layernorm.visit(prefix + "post_attention_layernorm", visitor);
    query_key_value.visit(prefix + "attention.query_key_value", visitor);
    dense.visit(prefix + "attention.dense", visitor);
    dense_h_to_4h.visit(prefix + "mlp.dense_h_to_4h", visitor);
    dense_4h_to_h.visit(prefix + "mlp.dense_4h_to_h", visitor);
  }
};

struct GptNeox : Model {
  ModelShape sizes;
  int64_t heads, head_width;
  double deviation;
  bool parallel, tied, tanh;
  Weight embed_in;
  std::vector<NeoxLayer> layers;
  LayerNorm final_layer_norm;
  Linear embed_out;
  Rope rope;

  explicit GptNeox(const Config& config)
      : heads(config.size("num_attention_heads")),
        head_width(config.size("hidden_size") / heads),
        deviation(config.number("initializer_range")),
        parallel(config.flag("use_parallel_residual")),
        tied(config.flag("tie_word_embeddings")) {
    const int64_t width = config.size("hidden_size"), inner = config.size("intermediate_size");
    const double epsilon = config.number("layer_norm_eps");
    const bool bias = config.flag("attention_bias");
    const std::string activation = config.text("hidden_act");
    tanh = activation != "gelu";
    config.require(!tanh || activation == "gelu_new" || activation == "gelu_fast" ||
                       activation == "gelu_pytorch_tanh",
                   "hidden_act", "\"gelu\" or \"gelu_new\"");
    config.require(width % heads == 0, "hidden_size", "a multiple of the heads");
    sizes = {.vocabulary = config.size("vocab_size"),
             .width = width,
             .positions = config.positions(),
             .cache = {config.layers("num_hidden_layers"), heads, head_width}};
    embed_in = placeholder({sizes.vocabulary, width});
    for (int64_t i = 0; i < sizes.cache.layers; ++i) {
      layers.push_back({.input_layernorm = {width, epsilon},
                        .post_attention_layernorm = {width, epsilon},
                        .query_key_value = {width, 3 * width, bias},
                        .dense = {width, width, bias},
                        .dense_h_to_4h = {width, inner, true},
                        .dense_4h_to_h = {inner, width, true}});
    }
    final_layer_norm = {width, epsilon};
    if (!tied) embed_out = {width, sizes.vocabulary, false};
    rope = Rope(head_width, config.rope());
  }

  ModelShape shape() const override { return sizes; }

  void visit(const TensorVisitor& visitor) override {
    visitor("gpt_neox.embed_in.weight", embed_in);
    for (size_t i = 0; i < layers.size(); ++i) {
      layers[i].visit("gpt_neox.layers." + std::to_string(i) + ".", visitor);
      // The residual sum, and turned queries and keys beside the fused output.
      visitor.activations([&](double) { return 3 * sizes.width; });
    }
    final_layer_norm.visit("gpt_neox.final_layer_norm", visitor);
    if (!tied) embed_out.visit("embed_out", visitor);
  }

  std::vector<std::string> embedding_names() const override { return {"gpt_neox.embed_in.weight"}; }

  // Old files carry the causal mask and the rotary tables; newer transformers may call the head
  // lm_head.
  std::string canonical_name(const std::string& name) const override {
    for (const char* buffer :
         {".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq"}) {
      if (name.ends_with(buffer)) return "";
    }
    if (name != "lm_head.weight" && name != "embed_out.weight") return name;
    return tied ? "" : "embed_out.weight";
  }

  Tensor through(int64_t i, const Tensor& x, const Rotation& rotation, const Pass& pass) const {
    const NeoxLayer& layer = layers[i];
    const double scale = 1 / std::sqrt(static_cast<double>(head_width));
    const Tensor qkv =
        layer.query_key_value(layer.input_layernorm(x)).view({-1, heads, 3, head_width});
    const Tensor a = layer.dense(attend({qkv.select(2, 0)}, {qkv.select(2, 1)}, qkv.select(2, 2),
                                        rotation, pass, i, {.scale = scale}));
    const Tensor y = layer.dense_h_to_4h(layer.post_attention_layernorm(parallel ? x : x + a));
    return x + a + layer.dense_4h_to_h(tanh ? kernels::gelu_tanh(y) : at::gelu(y));
  }

  Tensor hidden_rows(const Pass& pass) const override {
    Tensor x = embed_in.rows(pass.tokens_N);
    const Rotation rotation = rope.at(pass.positions_N);
    const LayerRuns runs(pass);
    for (int64_t i = 0; i < std::ssize(layers); ++i) {
      x = runs.run([this, i, rotation,
                    runs](const Tensor& y) { return through(i, y, rotation, runs.pass()); },
                   x);
      pass.show(i, x);
    }
    return final_layer_norm(x);
  }

  Head head() const override { return {.weight_VD = tied ? embed_in : embed_out.weight}; }

  void move_buffers(at::Device device, at::ScalarType dtype) override { rope.to(device, dtype); }

  double init_deviation(const std::string& name) const override {
    return name.ends_with("norm.weight") || name.ends_with(".bias") ? 0 : deviation;
  }
};

}  // namespace

std::unique_ptr<Model> make_gpt_neox(const Config& config) {
  return std::make_unique<GptNeox>(config);
}

}  // namespace alambic
