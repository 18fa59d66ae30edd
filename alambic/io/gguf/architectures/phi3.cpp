// Phi-3: one matrix for queries, keys and values, one for gate and up.
#include "alambic/io/gguf/architectures/tables.h"

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

}  // namespace

constexpr GgufArchitecture phi3_rows[] = {
    {.name = "phi3",
     .model_type = "phi3",
     .architecture = "Phi3ForCausalLM",
     .settings = sizes,
     .tensors = tensors,
     .constants = R"({"hidden_act": "silu"})",
     .windowless = true},
};
extern const std::span<const GgufArchitecture> phi3 = phi3_rows;

}  // namespace alambic::gguf
