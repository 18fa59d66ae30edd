// Gemma 3 (arXiv 2503.19786), the text part: norms of queries and keys; layers with a window turn
// by angles of their own, the others by stretched ones.
#include "alambic/model/gemma.h"
#include "alambic/model/text_part.h"

namespace alambic {
namespace {

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
  // transformers' class has it and caps nothing.
  config.require(!config.has("attn_logit_softcapping"), "attn_logit_softcapping", "null");
  Gemma gemma(config);
  const DecoderShape& shape = gemma.shape;
  for (const int64_t window : layer_windows(config)) {
    gemma.attention.window = window;
    auto attention = std::make_unique<SelfAttention>(shape.attention, gemma.attention);
    attention->q_norm = gemma.model->make_norm(shape.attention.head_width);
    attention->k_norm = gemma.model->make_norm(shape.attention.head_width);
    gemma.model->add({.attention = std::move(attention),
                      .mlp = std::make_unique<DenseMlp>(shape.mlp),
                      .rope = window > 0 ? 1 : 0});
  }
  for (const char* kind : {"full_attention", "sliding_attention"}) {
    gemma.model->ropes.emplace_back(shape.attention.head_width, config.rope(kind));
  }
  return std::move(gemma.model);
}

std::unique_ptr<Model> make_gemma3(const Config& config) {
  std::unique_ptr<Model> text = make_gemma3_text(config);
  return std::make_unique<TextOf>(std::move(dynamic_cast<Decoder&>(*text)));
}

}  // namespace alambic
