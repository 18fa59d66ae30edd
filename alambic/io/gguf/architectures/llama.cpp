// Families whose tensors are named and turned as Llama's. llama.cpp has one architecture where
// transformers has Llama, Mistral and Mixtral.
#include "alambic/io/gguf/architectures/words.h"

namespace alambic::gguf {

namespace {

constexpr GgufTensorRow tensors[] = {
    {"token_embd", "model.embed_tokens"},
    {"blk.{}.attn_norm", "model.layers.{}.input_layernorm"},
    {"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj", query_rows},
    {"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj", key_rows},
    {"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"},
    {"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    {"blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"},
    {"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"},
    {"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"},
    {"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
    {"blk.{}.ffn_gate_inp", "model.layers.{}.block_sparse_moe.gate"},
    {"blk.{}.ffn_gate_exps", "model.layers.{}.block_sparse_moe.experts.{}.w1"},
    {"blk.{}.ffn_up_exps", "model.layers.{}.block_sparse_moe.experts.{}.w3"},
    {"blk.{}.ffn_down_exps", "model.layers.{}.block_sparse_moe.experts.{}.w2"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
};

constexpr std::string_view silu = R"({"hidden_act": "silu"})";

void read_llama(const GgufReading&, Json& config) {
  if (integer_or(config, "num_local_experts", 0) > 0) {
    name_model(config, "MixtralForCausalLM", "mixtral");
  } else if (has(config, "sliding_window")) {
    name_model(config, "MistralForCausalLM", "mistral");
  }
}

// Layers that know no positions.
void check_smollm3(const GgufWriting& to, const Json& config, int64_t, Json&) {
  if (!has(config, "no_rope_layers")) return;
  const Json& turns = config["no_rope_layers"];
  for (size_t i = 0; i < turns.size(); ++i) {
    if (turns[i] == ((i + 1) % 4 != 0 ? 1 : 0)) continue;
    throw refusal(to.where, "no_rope_layers", turns, "a 0 for every fourth");
  }
}

}  // namespace

constexpr GgufArchitecture llama_rows[] = {
    {.name = "llama",
     .model_type = "llama",
     .architecture = "LlamaForCausalLM",
     .settings = sizes,
     .tensors = tensors,
     .constants = silu,
     .bias_flags = true,
     .words = {.read = read_llama}},
    {.name = "llama",
     .model_type = "mistral",
     .architecture = "MistralForCausalLM",
     .settings = sizes,
     .tensors = tensors,
     .constants = silu,
     .unbiased = true,
     .windowless = true},
    {.name = "llama",
     .model_type = "mixtral",
     .architecture = "MixtralForCausalLM",
     .settings = sizes,
     .tensors = tensors,
     .constants = silu,
     .unbiased = true,
     .windowless = true},
    {.name = "smollm3",
     .model_type = "smollm3",
     .architecture = "SmolLM3ForCausalLM",
     .settings = sizes,
     .tensors = tensors,
     .constants = R"({"hidden_act": "silu", "use_sliding_window": false})",
     .bias_flags = true,
     .tied = true,
     .words = {.rope = check_smollm3}},
};
extern const std::span<const GgufArchitecture> llama = llama_rows;

}  // namespace alambic::gguf
