// Gemma 3 (arXiv 2503.19786), the text part: norms of queries and keys; layers with a window turn
// by angles of their own, the others by stretched ones.
#include "alambic/model/gemma.h"
#include "alambic/model/text_part.h"

namespace alambic {
namespace {

// "rope_parameters" per layer type, or "rope_local_base_freq" beside "rope_theta".
std::vector<Rope> ropes(const Config& config, int64_t head_width) {
  RopeSettings local;
  if (config.has("rope_parameters")) {
    local = config.rope(1e4, "sliding_attention");
  } else {
    local.theta = config.number("rope_local_base_freq", 1e4);
  }
  return {Rope(head_width, config.rope(1e6, "full_attention")), Rope(head_width, local)};
}

// The text part of a model that also sees images; its other tensors are left out.
struct TextOf : Decoder {
  using Decoder::Decoder;
  explicit TextOf(Decoder&& text) : Decoder(std::move(text)) {}

  std::string canonical_name(const std::string& name) const override {
    return Decoder::canonical_name(name_in_text_part(name));
  }
};

}  // namespace

std::unique_ptr<Model> make_gemma3_text(const Config& config) {
  Gemma gemma(config);
  const DecoderShape& shape = gemma.shape;
  const int64_t pattern = config.length(
      config.has("_sliding_window_pattern") ? "_sliding_window_pattern" : "sliding_window_pattern",
      6);
  const std::vector<int64_t> windows =
      layer_windows(config, shape.layers, [=](int64_t i) { return (i + 1) % pattern != 0; });
  for (const int64_t window : windows) {
    gemma.attention.window = window;
    auto attention = std::make_unique<SelfAttention>(shape.attention, gemma.attention);
    attention->q_norm = gemma.model->make_norm(shape.attention.head_width);
    attention->k_norm = gemma.model->make_norm(shape.attention.head_width);
    gemma.model->add({.attention = std::move(attention),
                      .mlp = std::make_unique<DenseMlp>(shape.mlp),
                      .rope = window > 0 ? 1 : 0});
  }
  gemma.model->ropes = ropes(config, shape.attention.head_width);
  return std::move(gemma.model);
}

std::unique_ptr<Model> make_gemma3(const Config& config) {
  const Json text = text_part(config, "Gemma3ForCausalLM", "gemma3_text");
  std::unique_ptr<Model> inner = make_gemma3_text(config.within(text, "text_config"));
  auto model = std::make_unique<TextOf>(std::move(dynamic_cast<Decoder&>(*inner)));
  model->config = text;  // the text model alone is saved
  return model;
}

}  // namespace alambic
