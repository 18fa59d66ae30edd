// Qwen 2 and 2.5, Qwen 3, Qwen 3 with experts.
#include "alambic/io/gguf/architectures/words.h"

namespace alambic::gguf {

namespace {

constexpr GgufTensorRow tensors[] = {
    {"token_embd", "model.embed_tokens"},
    {"blk.{}.attn_norm", "model.layers.{}.input_layernorm"},
    {"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"},
    {"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm"},
    {"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"},
    {"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm"},
    {"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"},
    {"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    {"blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"},
    {"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"},
    {"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"},
    {"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
    {"blk.{}.ffn_gate_inp", "model.layers.{}.mlp.gate"},
    {"blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.{}.gate_proj"},
    {"blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.{}.up_proj"},
    {"blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.{}.down_proj"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
};

constexpr auto moe_sizes = with_common({
    {"context_length", "max_position_embeddings", length, "2048", true},
    {"feed_forward_length", "intermediate_size", size, "", true},
    {"expert_feed_forward_length", "moe_intermediate_size", size, "", true},
    {"expert_count", "num_experts", experts, "", true},
    {"expert_used_count", "num_experts_per_tok", size, "", true},
    {"attention.head_count_kv", "num_key_value_heads", size, ""},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-6", true},
});

}  // namespace

constexpr GgufArchitecture qwen_rows[] = {
    {.name = "qwen3moe",
     .model_type = "qwen3_moe",
     .architecture = "Qwen3MoeForCausalLM",
     .settings = moe_sizes,
     .tensors = tensors,
     .constants = R"({"hidden_act": "silu", "use_sliding_window": false, "attention_bias": false,
                      "norm_topk_prob": true, "decoder_sparse_step": 1, "mlp_only_layers": []})"},
    {.name = "qwen2",
     .model_type = "qwen2",
     .architecture = "Qwen2ForCausalLM",
     .settings = sizes,
     .tensors = tensors,
     .constants = R"({"hidden_act": "silu", "use_sliding_window": false})"},
    {.name = "qwen3",
     .model_type = "qwen3",
     .architecture = "Qwen3ForCausalLM",
     .settings = sizes,
     .tensors = tensors,
     .constants = R"({"hidden_act": "silu", "use_sliding_window": false,
                      "attention_bias": false})"},
};
extern const std::span<const GgufArchitecture> qwen = qwen_rows;

}  // namespace alambic::gguf
