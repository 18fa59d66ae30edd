// gpt-oss (arXiv 2508.10925): a sink in the softmax of every head, windows in every second layer,
// routed experts with a bounded gate.
#include "alambic/model/decoder.h"
#include "alambic/model/gpt_oss/clamped_experts.h"

namespace alambic {
namespace {

struct SinkAttention : SelfAttention {
  SinkAttention(const AttentionShape& shape, const AttentionOptions& plain)
      : SelfAttention(shape, plain) {
    options.sinks_H = placeholder({shape.heads});
  }
  void visit(const std::string& prefix, const TensorVisitor& visitor) override {
    SelfAttention::visit(prefix, visitor);
    visitor(prefix + "self_attn.sinks", options.sinks_H);
  }
};

bool is_expert_bias(const std::string& name) { return name.ends_with("_proj_bias"); }

struct GptOss : Decoder {
  using Decoder::Decoder;

  double init_deviation(const std::string& name) const override {
    if (name.ends_with("router.bias")) return deviation;
    return is_expert_bias(name) ? 0 : Decoder::init_deviation(name);
  }
  double init_constant(const std::string& name) const override {
    return is_expert_bias(name) ? 0 : Decoder::init_constant(name);
  }
};

}  // namespace

std::unique_ptr<Model> make_gpt_oss(const Config& config) {
  const DecoderShape shape(config);
  const RouterOptions router = {.experts = config.experts("num_local_experts"),
                                .top_k = config.size("num_experts_per_tok"),
                                .norm_topk_prob = true,
                                .biased = true};
  const ClampedShape expert = {.width = shape.mlp.width,
                               .inner = shape.mlp.inner,
                               .alpha = config.number("swiglu_alpha"),
                               .limit = config.number("swiglu_limit")};
  config.require(config.text("hidden_act") == "silu", "hidden_act", "\"silu\"");
  config.require(router.top_k <= router.experts, "num_experts_per_tok", "at most all experts");
  config.require(expert.limit > 0, "swiglu_limit", "a number above 0");
  auto model = std::make_unique<GptOss>(config, shape);
  for (const int64_t window : layer_windows(config)) {
    model->add({.attention = std::make_unique<SinkAttention>(
                    shape.attention, AttentionOptions{.scale = shape.scale(), .window = window}),
                .mlp = std::make_unique<ClampedExperts>(expert, router)});
  }
  model->ropes.emplace_back(shape.attention.head_width, config.rope());
  return model;
}

}  // namespace alambic
