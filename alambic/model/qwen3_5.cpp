// Qwen3.5, the text part: three layers of gated DeltaNet, then one of gated attention, of whose
// heads a quarter turns; norms multiply by 1 + weight. In the sparse ones every layer has routed
// experts and a shared one. No paper: transformers' modeling_qwen3_5.py and _moe.py.
#include "alambic/model/decoder.h"
#include "alambic/nn/gated_delta_net.h"
#include "alambic/nn/moe.h"

namespace alambic {
namespace {

struct Qwen35 : Decoder {
  using Decoder::Decoder;

  // Whole models, which also see, have one more level in their names.
  std::string canonical_name(const std::string& name) const override {
    const std::string inner = "model.language_model.";
    return Decoder::canonical_name(name.starts_with(inner) ? "model." + name.substr(inner.size())
                                                           : name);
  }
  std::string ignored_reason(const std::string& name) const override {
    if (name.starts_with("model.visual.")) return "the part that sees";
    return name.starts_with("mtp.") ? "layers for multi-token prediction" : "";
  }
  // transformers draws exp(A_log) evenly from (0.01, 16); this spreads as the exponential of a
  // standard normal.
  double init_deviation(const std::string& name) const override {
    if (name.ends_with(".A_log")) return 1;
    return name.ends_with(".dt_bias") ? 0 : Decoder::init_deviation(name);
  }
  double init_constant(const std::string& name) const override {
    const bool one = name.ends_with(".dt_bias") || name.ends_with(".linear_attn.norm.weight");
    return one ? 1 : Decoder::init_constant(name);
  }
};

std::vector<bool> linear_layers(const Config& config) {
  std::vector<bool> linear;
  for (const std::string& type : config.texts("layer_types")) {
    linear.push_back(type == "linear_attention");
    config.require(linear.back() || type == "full_attention", "layer_types",
                   "a list of \"linear_attention\" and \"full_attention\"");
  }
  return linear;
}

DeltaNetShape delta_net_shape(const Config& config) {
  const DeltaNetShape shape = {.width = config.size("hidden_size"),
                               .key_heads = config.size("linear_num_key_heads"),
                               .heads = config.size("linear_num_value_heads"),
                               .key_width = config.size("linear_key_head_dim"),
                               .value_width = config.size("linear_value_head_dim"),
                               .window = config.size("linear_conv_kernel_dim")};
  config.require(shape.heads % shape.key_heads == 0, "linear_num_key_heads",
                 "a divisor of linear_num_value_heads");
  return shape;
}

// All but what the layers do to each position alone.
std::unique_ptr<Qwen35> make(const Config& config, DecoderShape shape,
                             const std::function<std::unique_ptr<FeedForward>()>& mlp) {
  config.require(config.text("hidden_act") == "silu", "hidden_act", "\"silu\"");
  config.require(config.flag("attn_output_gate", true), "attn_output_gate", "true");
  shape.attention.gated = true;
  const DeltaNetShape delta_net = delta_net_shape(config);
  const std::vector<bool> linear = linear_layers(config);
  auto model = std::make_unique<Qwen35>(config, shape, NormPlacement::before, /*plus_one=*/true);
  for (const bool is_linear : linear) {
    DecoderLayer layer = {.mlp = mlp()};
    if (is_linear) {
      layer.attention = std::make_unique<GatedDeltaNet>(delta_net, model->epsilon);
    } else {
      auto attention = std::make_unique<SelfAttention>(shape.attention,
                                                       AttentionOptions{.scale = shape.scale()});
      attention->q_norm = model->make_norm(shape.attention.head_width);
      attention->k_norm = model->make_norm(shape.attention.head_width);
      layer.attention = std::move(attention);
    }
    model->add(std::move(layer));
  }
  const KvCache::LayerShape of_tokens = model->sizes.cache.layer(0);
  for (const bool is_linear : linear) {
    model->sizes.cache.each.push_back(is_linear ? KvCache::LayerShape{.state = delta_net.state()}
                                                : of_tokens);
  }
  model->ropes.emplace_back(shape.attention.head_width, config.rope());
  return model;
}

}  // namespace

std::unique_ptr<Model> make_qwen3_5_text(const Config& config) {
  const DecoderShape shape(config);
  return make(config, shape, [&] { return std::make_unique<DenseMlp>(shape.mlp); });
}

std::unique_ptr<Model> make_qwen3_5(const Config& config) { return make_qwen3_5_text(config); }

std::unique_ptr<Model> make_qwen3_5_moe_text(const Config& config) {
  const DecoderShape shape(config);
  const RouterOptions router = {.experts = config.experts("num_experts"),
                                .top_k = config.size("num_experts_per_tok"),
                                .norm_topk_prob = true};
  config.require(router.top_k <= router.experts, "num_experts_per_tok", "at most all experts");
  const MlpShape expert = {.width = shape.mlp.width, .inner = config.size("moe_intermediate_size")};
  const int64_t shared = config.size("shared_expert_intermediate_size");
  const ExpertNames names = {.shared = "shared_expert", .shared_gate = "shared_expert_gate"};
  return make(config, shape, [&] { return std::make_unique<Moe>(expert, router, names, shared); });
}

std::unique_ptr<Model> make_qwen3_5_moe(const Config& config) {
  return make_qwen3_5_moe_text(config);
}

}  // namespace alambic
