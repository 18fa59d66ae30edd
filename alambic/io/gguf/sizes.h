// The hyper-parameters of each architecture (gguf_architecture.h).
#pragma once

#include "alambic/io/gguf/joined.h"

namespace alambic::gguf {

inline constexpr auto integer = GgufSetting::integer, real = GgufSetting::real,
                      flag = GgufSetting::flag;

// What nearly all of them say alike.
inline constexpr std::array common_sizes = {
    GgufSetting{"embedding_length", "hidden_size", integer, "", true},
    GgufSetting{"block_count", "num_hidden_layers", integer, "", true},
    GgufSetting{"attention.head_count", "num_attention_heads", integer, "", true},
};

template <size_t N>
constexpr auto with_common(const GgufSetting (&own)[N]) {
  return joined(common_sizes, own);
}

inline constexpr auto sizes = with_common({
    {"context_length", "max_position_embeddings", integer, "2048", true},
    {"feed_forward_length", "intermediate_size", integer, "", true},
    {"attention.head_count_kv", "num_key_value_heads", integer, ""},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-6", true},
    {"attention.sliding_window", "sliding_window", integer, ""},
    {"expert_count", "num_local_experts", integer, ""},
    {"expert_used_count", "num_experts_per_tok", integer, ""},
    {"attn_logit_softcapping", "attn_logit_softcapping", real, ""},
    {"final_logit_softcapping", "final_logit_softcapping", real, ""},
});

inline constexpr auto qwen_moe_sizes = with_common({
    {"context_length", "max_position_embeddings", integer, "2048", true},
    {"feed_forward_length", "intermediate_size", integer, "", true},
    {"expert_feed_forward_length", "moe_intermediate_size", integer, "", true},
    {"expert_count", "num_experts", integer, "", true},
    {"expert_used_count", "num_experts_per_tok", integer, "", true},
    {"attention.head_count_kv", "num_key_value_heads", integer, ""},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-6", true},
});

inline constexpr auto gpt_oss_sizes = with_common({
    {"context_length", "max_position_embeddings", integer, "131072", true},
    {"feed_forward_length", "intermediate_size", integer, ""},
    {"expert_feed_forward_length", "intermediate_size", integer, "", true},
    {"expert_count", "num_local_experts", integer, "", true},
    {"expert_used_count", "num_experts_per_tok", integer, "", true},
    {"attention.head_count_kv", "num_key_value_heads", integer, ""},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-5", true},
    {"attention.sliding_window", "sliding_window", integer, "128", true},
});

// What is not here: gguf_deepseek.cpp.
inline constexpr auto deepseek_sizes = with_common({
    {"context_length", "max_position_embeddings", integer, "2048", true},
    {"feed_forward_length", "intermediate_size", integer, "", true},
    {"expert_feed_forward_length", "moe_intermediate_size", integer, "", true},
    {"expert_count", "n_routed_experts", integer, "", true},
    {"expert_used_count", "num_experts_per_tok", integer, "", true},
    {"expert_shared_count", "n_shared_experts", integer, "", true},
    {"expert_group_count", "n_group", integer, ""},
    {"expert_group_used_count", "topk_group", integer, ""},
    {"expert_weights_scale", "routed_scaling_factor", real, "1.0"},
    {"attention.q_lora_rank", "q_lora_rank", integer, ""},
    {"attention.kv_lora_rank", "kv_lora_rank", integer, "", true},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-6", true},
});

inline constexpr GgufSetting indexer_sizes[] = {
    {"attention.indexer.head_count", "index_n_heads", integer, "", true},
    {"attention.indexer.key_length", "index_head_dim", integer, "", true},
    {"attention.indexer.top_k", "index_topk", integer, "", true},
};
inline constexpr auto deepseek32_sizes = joined(deepseek_sizes, indexer_sizes);

// What is not here: gguf_gemma4.cpp.
inline constexpr auto gemma4_sizes = with_common({
    {"context_length", "max_position_embeddings", integer, "131072", true},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-6", true},
    {"attention.sliding_window", "sliding_window", integer, "512", true},
    {"expert_count", "num_experts", integer, ""},
    {"expert_used_count", "top_k_experts", integer, ""},
    {"expert_feed_forward_length", "moe_intermediate_size", integer, ""},
    {"final_logit_softcapping", "final_logit_softcapping", real, "0.0"},  // llama.cpp's is 30
});

// What is not here: gguf_qwen3_5.cpp.
inline constexpr auto qwen35_sizes = with_common({
    {"context_length", "max_position_embeddings", integer, "32768", true},
    {"feed_forward_length", "intermediate_size", integer, ""},
    {"expert_feed_forward_length", "moe_intermediate_size", integer, ""},
    {"expert_shared_feed_forward_length", "shared_expert_intermediate_size", integer, ""},
    {"expert_count", "num_experts", integer, ""},
    {"expert_used_count", "num_experts_per_tok", integer, ""},
    {"attention.head_count_kv", "num_key_value_heads", integer, ""},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-6", true},
    {"ssm.conv_kernel", "linear_conv_kernel_dim", integer, "", true},
    {"ssm.state_size", "linear_key_head_dim", integer, "", true},
    {"ssm.group_count", "linear_num_key_heads", integer, "", true},
    {"ssm.time_step_rank", "linear_num_value_heads", integer, "", true},
});

inline constexpr std::array gpt2_sizes = {
    GgufSetting{"context_length", "n_positions", integer, "1024", true},
    GgufSetting{"embedding_length", "n_embd", integer, "", true},
    GgufSetting{"block_count", "n_layer", integer, "", true},
    GgufSetting{"feed_forward_length", "n_inner", integer, "", true},
    GgufSetting{"attention.head_count", "n_head", integer, "", true},
    GgufSetting{"attention.layer_norm_epsilon", "layer_norm_epsilon", real, "1e-5", true},
};

inline constexpr auto neox_sizes = with_common({
    {"context_length", "max_position_embeddings", integer, "2048", true},
    {"feed_forward_length", "intermediate_size", integer, "", true},
    {"attention.layer_norm_epsilon", "layer_norm_eps", real, "1e-5", true},
    {"use_parallel_residual", "use_parallel_residual", flag, "true", true},
});

}  // namespace alambic::gguf
