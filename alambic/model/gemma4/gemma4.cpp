// Gemma 4, the text part (transformers' modeling_gemma4.py): layers with a window and layers
// without differ in heads, width and angles; the last ones read the keys and values of earlier
// ones; every layer may get an embedding of its own, and experts beside its MLP.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "alambic/model/gemma4/gemma4_plan.h"
#include "alambic/model/gemma4/per_layer_input.h"
#include "alambic/model/gemma4/scaled_experts.h"
#include "alambic/model/text_part.h"
#include "alambic/nn/recompute.h"

namespace alambic {
namespace {

using Kind = Gemma4Plan::Kind;

RmsNorm norm_of(int64_t width, double epsilon) {
  return {width, epsilon, /*plus_one=*/false, /*wide=*/true};
}

// Routed experts beside the MLP; the router sees the layer's residual stream.
struct ExpertBranch {
  ScaledExperts experts;
  RmsNorm after_mlp, before_experts, after_experts;

  ExpertBranch(const MlpShape& shape, const RouterOptions& router, double epsilon)
      : experts(shape, router, epsilon),
        after_mlp(norm_of(shape.width, epsilon)),
        before_experts(norm_of(shape.width, epsilon)),
        after_experts(norm_of(shape.width, epsilon)) {}

  Tensor forward(const Tensor& x_ND, const Tensor& mlp_ND, const Pass& pass) const {
    return after_mlp(mlp_ND) + after_experts(experts.forward(x_ND, before_experts(x_ND), pass));
  }
  void visit(const std::string& prefix, const TensorVisitor& visitor) {
    after_mlp.visit(prefix + "post_feedforward_layernorm_1", visitor);
    before_experts.visit(prefix + "pre_feedforward_layernorm_2", visitor);
    after_experts.visit(prefix + "post_feedforward_layernorm_2", visitor);
    experts.visit(prefix, visitor);
  }
};

struct Layer {
  Kind kind;
  SharedKvAttention attention;
  DenseMlp mlp;
  RmsNorm before_attention, after_attention, before_mlp, after_mlp;
  std::optional<ExpertBranch> experts;
  std::optional<PerLayerBlock> per_layer;
  Tensor scalar_1;  // factor of the layer's output; learns nothing

  bool reads_others() const { return attention.source == KvSource::earlier; }

  // `inputs`: the residual stream, the layer's own input where there are such, and keys and values
  // of layer `from` where it reads others'. Returns the stream, and the keys and values that it
  // makes.
  std::vector<Tensor> through(const std::vector<Tensor>& inputs, int64_t from,
                              const Rotation& rotation, const Pass& pass, int64_t index) const {
    Tensor x = inputs[0];
    KeysValues keys_values;
    if (reads_others()) keys_values = {inputs[inputs.size() - 2], inputs.back(), from};
    x = x +
        after_attention(attention.forward(before_attention(x), rotation, pass, index, keys_values));
    x = x + feed_forward(x, pass);
    if (per_layer) x = x + (*per_layer)(x, inputs[1]);
    x = x * scalar_1.to(x.scalar_type());
    if (reads_others()) return {x};
    return {x, keys_values.k_PKd, keys_values.v_PKd};
  }
  Tensor feed_forward(const Tensor& x_ND, const Pass& pass) const {
    const Tensor y_ND = mlp(before_mlp(x_ND));
    return after_mlp(experts ? experts->forward(x_ND, y_ND, pass) : y_ND);
  }
  void visit(const std::string& prefix, const TensorVisitor& visitor) {
    before_attention.visit(prefix + "input_layernorm", visitor);
    attention.visit(prefix, visitor);
    after_attention.visit(prefix + "post_attention_layernorm", visitor);
    before_mlp.visit(prefix + "pre_feedforward_layernorm", visitor);
    mlp.visit(prefix, visitor);
    if (experts) experts->visit(prefix, visitor);
    after_mlp.visit(prefix + "post_feedforward_layernorm", visitor);
    if (per_layer) per_layer->visit(prefix, visitor);
    visitor(prefix + "layer_scalar", scalar_1);
    // Norms behind blocks keep their inputs, and the sums and the scaled output are others.
    const int64_t sums = 3 + (experts ? 4 : 0) + (per_layer ? 1 : 0);
    visitor.activations([&](double) { return sums * mlp.shape.width; });
  }
};

struct Gemma4 : Decoder {
  std::vector<Layer> blocks;
  std::optional<PerLayerInputs> per_layer;
  int64_t own_keys = 0;  ///< layers before those that read the keys and values of others

  using Decoder::Decoder;

  void visit(const TensorVisitor& visitor) override {
    Decoder::visit(visitor);
    if (per_layer) per_layer->visit("model.", visitor);
    for (size_t i = 0; i < blocks.size(); ++i) {
      blocks[i].visit("model.layers." + std::to_string(i) + ".", visitor);
    }
  }

  // Layers read keys and values of others.
  std::string undivided(int64_t ranks) const override { return Model::undivided(ranks); }

  Tensor hidden_rows(const Pass& pass) const override {
    Tensor x = embed(pass);
    std::vector<Tensor> inputs_NP;
    if (per_layer) inputs_NP = (*per_layer)(pass.tokens_N, x).unbind(1);
    const std::array rotations = {ropes[Gemma4Plan::whole].at(pass.positions_N),
                                  ropes[Gemma4Plan::sliding].at(pass.positions_N)};
    std::array<KeysValues, 2> shared;
    const LayerRuns runs(pass);
    for (int64_t i = 0; i < std::ssize(blocks); ++i) {
      const Layer& layer = blocks[i];
      KeysValues& keys_values = shared[layer.kind];
      std::vector<Tensor> read = {x};
      if (per_layer) read.push_back(inputs_NP[i]);
      if (layer.reads_others()) {
        read.insert(read.end(), {keys_values.k_PKd, keys_values.v_PKd});
      }
      const std::vector<Tensor> made = runs.run(
          [&layer, i, runs, rotation = rotations[layer.kind],
           from = keys_values.layer](const std::vector<Tensor>& inputs) {
            return layer.through(inputs, from, rotation, runs.pass(), i);
          },
          read);
      x = made[0];
      if (!layer.reads_others()) keys_values = {made[1], made[2], i};
      pass.show(i, x);
    }
    return norm(x);
  }

  std::vector<std::string> embedding_names() const override {
    std::vector<std::string> names = Decoder::embedding_names();
    if (per_layer) names.emplace_back("model.embed_tokens_per_layer.weight");
    return names;
  }

  std::string canonical_name(const std::string& name) const override {
    return Decoder::canonical_name(name_in_text_part(name));
  }

  // The authors' files have them.
  std::string ignored_reason(const std::string& name) const override {
    const std::string start = "model.layers.", own = name_in_text_part(name);
    if (!own.starts_with(start)) return "";
    int64_t layer = -1;
    std::from_chars(own.data() + start.size(), own.data() + own.size(), layer);
    if (layer < own_keys || layer >= std::ssize(blocks)) return "";
    const bool unused = std::ranges::any_of(
        std::array{"k_proj", "v_proj", "k_norm", "v_norm"}, [&](const char* block) {
          return own.find(std::string(".self_attn.") + block) != std::string::npos;
        });
    return unused ? "keys and values of layers that read those of others" : "";
  }

  bool is_constant(const std::string& name) const override {
    return name.ends_with(".layer_scalar");
  }

  double init_deviation(const std::string& name) const override {
    const bool one = name.find("layernorm") != std::string::npos || name.ends_with("scale");
    return one || is_constant(name) ? 0 : Decoder::init_deviation(name);
  }
};

Layer make_layer(const Gemma4Plan& plan, const Gemma4Plan::Layer& own, double epsilon) {
  const int64_t width = plan.shape.attention.width;
  const auto norm = [&] { return norm_of(width, epsilon); };
  Layer layer = {
      .kind = own.kind,
      .attention = {own.attention, {.scale = 1, .window = own.window}, own.source, epsilon},
      .mlp = DenseMlp(own.mlp),
      .before_attention = norm(),
      .after_attention = norm(),
      .before_mlp = norm(),
      .after_mlp = norm(),
      .experts = {},
      .per_layer = {},
      .scalar_1 = placeholder({1})};
  if (plan.router) layer.experts.emplace(plan.expert, *plan.router, epsilon);
  if (plan.per_layer_width > 0) layer.per_layer.emplace(width, plan.per_layer_width, epsilon);
  return layer;
}

}  // namespace

std::unique_ptr<Model> make_gemma4_text(const Config& config) {
  const Gemma4Plan plan(config);
  auto model = std::make_unique<Gemma4>(config, plan.shape);
  const int64_t width = model->sizes.width;
  model->own_keys = plan.own_keys;
  model->embedding_scale = std::sqrt(static_cast<double>(width));
  model->head_softcap = config.number("final_logit_softcapping", 0);
  model->norm.wide = true;
  if (plan.per_layer_width > 0) {
    model->per_layer.emplace(plan.per_layer_vocabulary, width, plan.shape.layers,
                             plan.per_layer_width, model->epsilon);
  }
  for (const Gemma4Plan::Layer& own : plan.layers) {
    model->blocks.push_back(make_layer(plan, own, model->epsilon));
    model->sizes.cache.each.push_back(
        own.source == KvSource::earlier
            ? KvCache::LayerShape{}
            : KvCache::LayerShape{own.attention.kv_heads, own.attention.head_width});
  }
  const std::array settings = plan.ropes(config);
  for (const Kind kind : {Gemma4Plan::whole, Gemma4Plan::sliding}) {
    model->ropes.emplace_back(plan.head_width(kind), settings[kind]);
  }
  return model;
}

std::unique_ptr<Model> make_gemma4(const Config& config) { return make_gemma4_text(config); }

}  // namespace alambic
