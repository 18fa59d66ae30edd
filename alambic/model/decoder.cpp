#include "alambic/model/decoder.h"

#include <cmath>
#include <utility>

#include "alambic/dist/layer_weights.h"
#include "alambic/nn/recompute.h"
#include "alambic/nn/residual_norm.h"
#include "alambic/nn/tensor_parallel.h"

namespace alambic {

DecoderShape::DecoderShape(const Config& config) {
  const int64_t width = config.size("hidden_size"), heads = config.size("num_attention_heads");
  attention = {.width = width,
               .heads = heads,
               .kv_heads = config.size("num_key_value_heads"),
               .head_width = config.size("head_dim"),
               .qkv_bias = config.flag("attention_bias", false),
               .output_bias = config.flag("attention_bias", false)};
  // Configurations whose layers all have experts may name no other width.
  const bool experts_only = !config.has("intermediate_size") && config.has("moe_intermediate_size");
  mlp = {.width = width,
         .inner = config.size(experts_only ? "moe_intermediate_size" : "intermediate_size")};
  layers = config.layers("num_hidden_layers");
  config.require(heads % attention.kv_heads == 0, "num_key_value_heads", "a divisor of the heads");
  config.require(attention.head_width > 0 && attention.head_width % 2 == 0, "head_dim",
                 "an even width (hidden_size / num_attention_heads where it is left out)");
}

double DecoderShape::scale() const {
  return 1 / std::sqrt(static_cast<double>(attention.head_width));
}

Decoder::Decoder(const Config& config, const DecoderShape& shape, NormPlacement placement,
                 bool plus_one)
    : deviation(config.number("initializer_range")),
      epsilon(config.number("rms_norm_eps")),
      tied(config.flag("tie_word_embeddings")),
      placement(placement),
      plus_one(plus_one) {
  const AttentionShape& attention = shape.attention;
  sizes = {.vocabulary = config.size("vocab_size"),
           .width = attention.width,
           .positions = config.positions(),
           .cache = {shape.layers, attention.kv_heads, attention.head_width}};
  embed_tokens = placeholder({sizes.vocabulary, sizes.width});
  norm = make_norm(sizes.width);
  if (!tied) lm_head = {sizes.width, sizes.vocabulary, false};
}

void Decoder::add(DecoderLayer layer) {
  if (placement != NormPlacement::after) {
    layer.before_attention = make_norm(sizes.width);
    layer.before_mlp = make_norm(sizes.width);
  }
  if (placement != NormPlacement::before) {
    layer.after_attention = make_norm(sizes.width);
    layer.after_mlp = make_norm(sizes.width);
  }
  layers.push_back(std::move(layer));
}

void Decoder::visit(const TensorVisitor& visitor) {
  visitor("model.embed_tokens.weight", embed_tokens);
  const bool both = placement == NormPlacement::around;
  for (size_t i = 0; i < layers.size(); ++i) {
    DecoderLayer& layer = layers[i];
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    auto visit_norm = [&](RmsNorm& one, const char* name) {
      if (one.weight.defined()) one.visit(prefix + name, visitor);
    };
    visit_norm(layer.before_attention, "input_layernorm");
    layer.attention->visit(prefix, visitor);
    visit_norm(layer.after_attention, "post_attention_layernorm");
    visit_norm(layer.before_mlp, both ? "pre_feedforward_layernorm" : "post_attention_layernorm");
    layer.mlp->visit(prefix, visitor);
    visit_norm(layer.after_mlp, "post_feedforward_layernorm");
    // A norm behind a block keeps its input, and the sum behind it is another.
    if (both) visitor.activations([&](double) { return 2 * sizes.width; });
  }
  norm.visit("model.norm", visitor);
  if (!tied) lm_head.visit("lm_head", visitor);
}

// Some exporters write the tied head a second time, and old ones their rotary tables.
std::string Decoder::canonical_name(const std::string& name) const {
  if (tied && name == "lm_head.weight") return "";
  return name.ends_with("rotary_emb.inv_freq") ? "" : name;
}

Tensor Decoder::embed(const Pass& pass) const {
  const Tensor x = embed_tokens.rows(pass.tokens_N);
  return embedding_scale == 1 ? x : x * at::scalar_tensor(embedding_scale, x.options());
}

namespace {

/// A residual stream whose last sum may be left to the norm behind it.
struct Residual {
  Tensor x_ND, added_ND;

  Tensor sum() const { return added_ND.defined() ? x_ND + added_ND : x_ND; }
  std::vector<Tensor> tensors() const {
    return added_ND.defined() ? std::vector{x_ND, added_ND} : std::vector{x_ND};
  }
  static Residual of(const std::vector<Tensor>& tensors) {
    return {tensors[0], tensors.size() > 1 ? tensors[1] : Tensor()};
  }
};

Residual through(const DecoderLayer& layer, int64_t i, const Residual& before,
                 const Rotation& rotation, const Pass& pass) {
  const auto normed = [](const RmsNorm& one, const Tensor& y) {
    return one.weight.defined() ? one(y) : y;
  };
  // A block's input is handed over: without gradients it goes before the block's output comes.
  SumAndNorm sum = add_and_norm(layer.before_attention, before.x_ND, before.added_ND);
  const Tensor a =
      layer.attention->forward(std::exchange(sum.norm_ND, Tensor()), rotation, pass, i);
  sum = add_and_norm(layer.before_mlp, sum.sum_ND, normed(layer.after_attention, a));
  const Tensor m = layer.mlp->forward(std::exchange(sum.norm_ND, Tensor()), pass);
  return {sum.sum_ND, normed(layer.after_mlp, m)};
}

}  // namespace

Tensor Decoder::hidden_rows(const Pass& pass) const {
  Residual stream{embed(pass), {}};
  std::vector<Rotation> rotations;
  for (const Rope& rope : ropes) rotations.push_back(rope.at(pass.positions_N));
  const LayerRuns runs(pass);
  // What is kept for a backward pass, or shown, is one tensor a layer.
  const bool leaves_sums =
      !at::GradMode::is_enabled() && pass.outputs == nullptr && adds_with_norms(norm, stream.x_ND);
  for (int64_t i = 0; i < std::ssize(layers); ++i) {
    const DecoderLayer& layer = layers[i];
    const Rotation rotation = layer.rope < 0 ? Rotation() : rotations[layer.rope];
    const auto run = [&layer, i, rotation, runs](const Residual& before) {
      return through(layer, i, before, rotation, runs.pass());
    };
    if (leaves_sums) {
      stream = Residual::of(
          runs.run([run](const std::vector<Tensor>& in) { return run(Residual::of(in)).tensors(); },
                   stream.tensors()));
      continue;
    }
    stream.x_ND = runs.run([run](const Tensor& y) { return run({y, {}}).sum(); }, stream.x_ND);
    pass.show(i, stream.x_ND);
  }
  return add_and_norm(norm, stream.x_ND, stream.added_ND).norm_ND;
}

Head Decoder::head() const {
  return {.weight_VD = tied ? embed_tokens : lm_head.weight, .softcap = head_softcap};
}

void Decoder::move_buffers(at::Device device, at::ScalarType dtype) {
  for (Rope& rope : ropes) rope.to(device, dtype);
}

double Decoder::init_deviation(const std::string& name) const {
  return name.ends_with("norm.weight") || name.ends_with(".bias") ? 0 : deviation;
}

double Decoder::init_constant(const std::string& name) const {
  return plus_one ? 0 : Model::init_constant(name);
}

std::string Decoder::undivided(int64_t ranks) const {
  for (const DecoderLayer& layer : layers) {
    std::string reason = layer.attention->undivided(ranks);
    if (reason.empty()) reason = layer.mlp->undivided(ranks);
    if (!reason.empty()) return reason;
  }
  return "";
}

namespace {

DecoderLayer part_of(const DecoderLayer& layer, const std::shared_ptr<const World>& group,
                     KvCache::LayerShape& cache) {
  MixerPart attention = layer.attention->part(*group, cache);
  cache = attention.cache;
  return {.attention = added_up(std::move(attention.mixer), group),
          .mlp = added_up(layer.mlp->part(*group), group),
          .rope = layer.rope,
          .before_attention = layer.before_attention.copy(),
          .after_attention = layer.after_attention.copy(),
          .before_mlp = layer.before_mlp.copy(),
          .after_mlp = layer.after_mlp.copy()};
}

}  // namespace

std::unique_ptr<Model> Decoder::part(const std::shared_ptr<const World>& group,
                                     LayerWeights* weights) const {
  const at::NoGradGuard no_gradient;
  auto part = std::make_unique<Decoder>(*this);  // what is outside of the layers stays the same
  part->layers.clear();
  part->sizes.cache.each.clear();
  for (int64_t i = 0; i < std::ssize(layers); ++i) {
    KvCache::LayerShape cache = sizes.cache.layer(i);
    if (weights != nullptr) weights->enter(i, /*backward=*/false);
    part->layers.push_back(part_of(layers[i], group, cache));
    if (weights != nullptr) weights->leave(i);
    part->sizes.cache.each.push_back(cache);
  }
  return part;
}

std::unique_ptr<Decoder> make_plain_decoder(const Config& config, const DecoderShape& shape,
                                            const std::vector<int64_t>& window, bool norm_heads) {
  config.require(config.text("hidden_act") == "silu", "hidden_act", "\"silu\"");
  auto model = std::make_unique<Decoder>(config, shape);
  for (int64_t i = 0; i < shape.layers; ++i) {
    auto attention = std::make_unique<SelfAttention>(
        shape.attention,
        AttentionOptions{.scale = shape.scale(), .window = window.empty() ? 0 : window[i]});
    if (norm_heads) {
      attention->q_norm = model->make_norm(shape.attention.head_width);
      attention->k_norm = model->make_norm(shape.attention.head_width);
    }
    model->add({.attention = std::move(attention), .mlp = std::make_unique<DenseMlp>(shape.mlp)});
  }
  model->ropes.emplace_back(shape.attention.head_width, config.rope());
  return model;
}

std::vector<int64_t> layer_windows(const Config& config) {
  std::vector<int64_t> windows;
  for (const bool slides : config.sliding()) {
    windows.push_back(slides ? config.length("sliding_window") : 0);
  }
  return windows;
}

}  // namespace alambic
