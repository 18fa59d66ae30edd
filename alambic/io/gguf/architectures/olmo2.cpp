// OLMo 2: norms behind attention and MLP.
#include "alambic/io/gguf/architectures/tables.h"

namespace alambic::gguf {

namespace {

constexpr GgufTensorRow tensors[] = {
    {"token_embd", "model.embed_tokens"},
    {"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"},
    {"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm"},
    {"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"},
    {"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm"},
    {"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"},
    {"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    {"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"},
    {"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"},
    {"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"},
    {"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
    {"blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
};

}  // namespace

constexpr GgufArchitecture olmo2_rows[] = {
    {.name = "olmo2",
     .model_type = "olmo2",
     .architecture = "Olmo2ForCausalLM",
     .settings = sizes,
     .tensors = tensors,
     .constants = R"({"hidden_act": "silu", "attention_bias": false})"},
};
extern const std::span<const GgufArchitecture> olmo2 = olmo2_rows;

}  // namespace alambic::gguf
