// Phi-3: one matrix for queries, keys and values, one for gate and up; two lists of factors of the
// frequencies.
#include "alambic/io/gguf/architectures/words.h"

namespace alambic::gguf {

namespace {

constexpr GgufTensorRow tensors[] = {
    {"token_embd", "model.embed_tokens"},
    {"blk.{}.attn_norm", "model.layers.{}.input_layernorm"},
    {"blk.{}.attn_qkv", "model.layers.{}.self_attn.qkv_proj"},
    {"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    {"blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"},
    {"blk.{}.ffn_up", "model.layers.{}.mlp.gate_up_proj"},
    {"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
};

// transformers has the original context beside the settings too, and takes Phi-3's longrope for the
// other two names.
void read(const GgufReading&, Json& config) {
  const Json& rope = config["rope_parameters"];
  if (rope["rope_type"] != "longrope") return;
  config["original_max_position_embeddings"] = Json(rope["original_max_position_embeddings"]);
}

void rope(const GgufWriting&, const Json& config, int64_t, Json& rope) {
  const std::string type = text_or(rope, "rope_type", text_or(rope, "type", "default"));
  if (type != "longrope" && type != "su" && type != "yarn") return;
  rope["rope_type"] = "longrope";
  if (has(rope, "original_max_position_embeddings")) return;
  rope["original_max_position_embeddings"] =
      integer_or(config, "original_max_position_embeddings", 4096);
}

}  // namespace

constexpr GgufArchitecture phi3_rows[] = {
    {.name = "phi3",
     .model_type = "phi3",
     .architecture = "Phi3ForCausalLM",
     .settings = sizes,
     .tensors = tensors,
     .constants = R"({"hidden_act": "silu"})",
     .unbiased = true,
     .windowless = true,
     .words = {.read = read, .rope = rope}},
};
extern const std::span<const GgufArchitecture> phi3 = phi3_rows;

}  // namespace alambic::gguf
