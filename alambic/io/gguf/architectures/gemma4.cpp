// Gemma 4: numbers of each layer as lists, and which part of a head turns as a tensor that divides
// the frequencies (llama.cpp's conversion/gemma.py and src/models/gemma4.cpp).
#include "alambic/io/gguf/architectures/gemma4.h"

namespace alambic::gguf {

namespace {

constexpr GgufTensorRow own_tensors[] = {
    {"token_embd", "model.embed_tokens"},
    {"per_layer_token_embd", "model.embed_tokens_per_layer"},
    {"per_layer_model_proj", "model.per_layer_model_projection"},
    {"per_layer_proj_norm", "model.per_layer_projection_norm"},
    {"blk.{}.attn_norm", "model.layers.{}.input_layernorm"},
    {"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"},
    {"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm"},
    {"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"},
    {"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm"},
    {"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"},
    {"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    {"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"},
    {"blk.{}.ffn_norm", "model.layers.{}.pre_feedforward_layernorm"},
    {"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"},
    {"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"},
    {"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
    {"blk.{}.post_ffw_norm_1", "model.layers.{}.post_feedforward_layernorm_1"},
    {"blk.{}.ffn_gate_inp", "model.layers.{}.router.proj"},
    {"blk.{}.ffn_gate_inp", "model.layers.{}.router.scale", none, ".scale"},
    {"blk.{}.pre_ffw_norm_2", "model.layers.{}.pre_feedforward_layernorm_2"},
    {"blk.{}.ffn_gate_up_exps", "model.layers.{}.experts.gate_up_proj", none, ".weight"},
    {"blk.{}.ffn_down_exps", "model.layers.{}.experts.down_proj", none, ".weight"},
    {"blk.{}.ffn_down_exps", "model.layers.{}.router.per_expert_scale", none, ".scale"},
    {"blk.{}.post_ffw_norm_2", "model.layers.{}.post_feedforward_layernorm_2"},
    {"blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm"},
    {"blk.{}.inp_gate", "model.layers.{}.per_layer_input_gate"},
    {"blk.{}.proj", "model.layers.{}.per_layer_projection"},
    {"blk.{}.post_norm", "model.layers.{}.post_per_layer_input_norm"},
    {"blk.{}.layer_output_scale", "model.layers.{}.layer_scalar", none, ".weight"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
};

// Settings that tables can hold; gemma4_read.cpp and gemma4_write.cpp do the others.
constexpr auto own_sizes = with_common({
    {"context_length", "max_position_embeddings", length, "131072", true},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-6", true},
    {"attention.sliding_window", "sliding_window", length, "512", true},
    {"expert_count", "num_experts", experts, ""},
    {"expert_used_count", "top_k_experts", size, ""},
    {"expert_feed_forward_length", "moe_intermediate_size", size, ""},
    {"final_logit_softcapping", "final_logit_softcapping", real, "0.0"},  // llama.cpp's is 30
});

// Without experts the keys of experts say nothing.
void complete(const GgufWriting&, Json& config) {
  if (flag_or(config, "enable_moe_block", false)) return;
  for (const char* key : {"num_experts", "top_k_experts", "moe_intermediate_size"}) {
    config.erase(key);
  }
}

}  // namespace

constexpr GgufArchitecture gemma4_rows[] = {
    {.name = "gemma4",
     .model_type = "gemma4_text",
     .architecture = "Gemma4ForCausalLM",
     .settings = own_sizes,
     .tensors = own_tensors,
     .constants = R"({"hidden_activation": "gelu_pytorch_tanh", "attention_bias": false})",
     .rotary = false,
     .tied = true,
     .whole = "Gemma4ForConditionalGeneration",
     .words = {.read = read_gemma4,
               .complete = complete,
               .is_switched_off = is_switched_off_gemma4,
               .add = add_gemma4}},
};
extern const std::span<const GgufArchitecture> gemma4 = gemma4_rows;

}  // namespace alambic::gguf
