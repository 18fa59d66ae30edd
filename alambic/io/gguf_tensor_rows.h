// The tensors of each architecture (gguf_architecture.h).
#pragma once

#include <algorithm>
#include <array>

#include "alambic/io/gguf_architecture.h"

namespace alambic::gguf {

using enum GgufChange;

inline constexpr std::array llama = {
    GgufTensorRow{"token_embd", "model.embed_tokens"},
    GgufTensorRow{"blk.{}.attn_norm", "model.layers.{}.input_layernorm"},
    GgufTensorRow{"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj", query_rows},
    GgufTensorRow{"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj", key_rows},
    GgufTensorRow{"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"},
    GgufTensorRow{"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    GgufTensorRow{"blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"},
    GgufTensorRow{"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"},
    GgufTensorRow{"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"},
    GgufTensorRow{"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
    GgufTensorRow{"blk.{}.ffn_gate_inp", "model.layers.{}.block_sparse_moe.gate"},
    GgufTensorRow{"blk.{}.ffn_gate_exps", "model.layers.{}.block_sparse_moe.experts.{}.w1"},
    GgufTensorRow{"blk.{}.ffn_up_exps", "model.layers.{}.block_sparse_moe.experts.{}.w3"},
    GgufTensorRow{"blk.{}.ffn_down_exps", "model.layers.{}.block_sparse_moe.experts.{}.w2"},
    GgufTensorRow{"output_norm", "model.norm"},
    GgufTensorRow{"output", "lm_head"},
};

inline constexpr std::array qwen = {
    GgufTensorRow{"token_embd", "model.embed_tokens"},
    GgufTensorRow{"blk.{}.attn_norm", "model.layers.{}.input_layernorm"},
    GgufTensorRow{"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"},
    GgufTensorRow{"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm"},
    GgufTensorRow{"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"},
    GgufTensorRow{"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm"},
    GgufTensorRow{"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"},
    GgufTensorRow{"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    GgufTensorRow{"blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"},
    GgufTensorRow{"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"},
    GgufTensorRow{"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"},
    GgufTensorRow{"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
    GgufTensorRow{"blk.{}.ffn_gate_inp", "model.layers.{}.mlp.gate"},
    GgufTensorRow{"blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.{}.gate_proj"},
    GgufTensorRow{"blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.{}.up_proj"},
    GgufTensorRow{"blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.{}.down_proj"},
    GgufTensorRow{"output_norm", "model.norm"},
    GgufTensorRow{"output", "lm_head"},
};

inline constexpr std::array qwen35 = {
    GgufTensorRow{"token_embd", "model.embed_tokens"},
    GgufTensorRow{"blk.{}.attn_norm", "model.layers.{}.input_layernorm", plus_one},
    GgufTensorRow{"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"},
    GgufTensorRow{"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm", plus_one},
    GgufTensorRow{"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"},
    GgufTensorRow{"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm", plus_one},
    GgufTensorRow{"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"},
    GgufTensorRow{"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    GgufTensorRow{"blk.{}.attn_qkv", "model.layers.{}.linear_attn.in_proj_qkv", value_rows},
    GgufTensorRow{"blk.{}.attn_gate", "model.layers.{}.linear_attn.in_proj_z", value_rows},
    GgufTensorRow{"blk.{}.ssm_conv1d", "model.layers.{}.linear_attn.conv1d", value_channels},
    GgufTensorRow{"blk.{}.ssm_alpha", "model.layers.{}.linear_attn.in_proj_a", value_rows},
    GgufTensorRow{"blk.{}.ssm_beta", "model.layers.{}.linear_attn.in_proj_b", value_rows},
    GgufTensorRow{"blk.{}.ssm_a", "model.layers.{}.linear_attn.A_log", decay, ""},
    GgufTensorRow{"blk.{}.ssm_dt", "model.layers.{}.linear_attn.dt_bias", value_rows, ".bias"},
    GgufTensorRow{"blk.{}.ssm_norm", "model.layers.{}.linear_attn.norm"},
    GgufTensorRow{"blk.{}.ssm_out", "model.layers.{}.linear_attn.out_proj", value_columns},
    GgufTensorRow{"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm",
                  plus_one},
    GgufTensorRow{"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"},
    GgufTensorRow{"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"},
    GgufTensorRow{"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
    GgufTensorRow{"blk.{}.ffn_gate_inp", "model.layers.{}.mlp.gate"},
    GgufTensorRow{"blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.{}.gate_proj"},
    GgufTensorRow{"blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.{}.up_proj"},
    GgufTensorRow{"blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.{}.down_proj"},
    GgufTensorRow{"blk.{}.ffn_gate_inp_shexp", "model.layers.{}.mlp.shared_expert_gate", one_row},
    GgufTensorRow{"blk.{}.ffn_gate_shexp", "model.layers.{}.mlp.shared_expert.gate_proj"},
    GgufTensorRow{"blk.{}.ffn_up_shexp", "model.layers.{}.mlp.shared_expert.up_proj"},
    GgufTensorRow{"blk.{}.ffn_down_shexp", "model.layers.{}.mlp.shared_expert.down_proj"},
    GgufTensorRow{"output_norm", "model.norm", plus_one},
    GgufTensorRow{"output", "lm_head"},
};

inline constexpr std::array gemma = {
    GgufTensorRow{"token_embd", "model.embed_tokens"},
    GgufTensorRow{"blk.{}.attn_norm", "model.layers.{}.input_layernorm", plus_one},
    GgufTensorRow{"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"},
    GgufTensorRow{"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm", plus_one},
    GgufTensorRow{"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"},
    GgufTensorRow{"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm", plus_one},
    GgufTensorRow{"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"},
    GgufTensorRow{"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    GgufTensorRow{"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm",
                  plus_one},
    GgufTensorRow{"blk.{}.ffn_norm", "model.layers.{}.pre_feedforward_layernorm", plus_one},
    GgufTensorRow{"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"},
    GgufTensorRow{"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"},
    GgufTensorRow{"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
    GgufTensorRow{"blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm", plus_one},
    GgufTensorRow{"output_norm", "model.norm", plus_one},
};

inline constexpr std::array gemma4 = {
    GgufTensorRow{"token_embd", "model.embed_tokens"},
    GgufTensorRow{"per_layer_token_embd", "model.embed_tokens_per_layer"},
    GgufTensorRow{"per_layer_model_proj", "model.per_layer_model_projection"},
    GgufTensorRow{"per_layer_proj_norm", "model.per_layer_projection_norm"},
    GgufTensorRow{"blk.{}.attn_norm", "model.layers.{}.input_layernorm"},
    GgufTensorRow{"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"},
    GgufTensorRow{"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm"},
    GgufTensorRow{"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"},
    GgufTensorRow{"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm"},
    GgufTensorRow{"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"},
    GgufTensorRow{"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    GgufTensorRow{"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"},
    GgufTensorRow{"blk.{}.ffn_norm", "model.layers.{}.pre_feedforward_layernorm"},
    GgufTensorRow{"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"},
    GgufTensorRow{"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"},
    GgufTensorRow{"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
    GgufTensorRow{"blk.{}.post_ffw_norm_1", "model.layers.{}.post_feedforward_layernorm_1"},
    GgufTensorRow{"blk.{}.ffn_gate_inp", "model.layers.{}.router.proj"},
    GgufTensorRow{"blk.{}.ffn_gate_inp", "model.layers.{}.router.scale", none, ".scale"},
    GgufTensorRow{"blk.{}.pre_ffw_norm_2", "model.layers.{}.pre_feedforward_layernorm_2"},
    GgufTensorRow{"blk.{}.ffn_gate_up_exps", "model.layers.{}.experts.gate_up_proj", none,
                  ".weight"},
    GgufTensorRow{"blk.{}.ffn_down_exps", "model.layers.{}.experts.down_proj", none, ".weight"},
    GgufTensorRow{"blk.{}.ffn_down_exps", "model.layers.{}.router.per_expert_scale", none,
                  ".scale"},
    GgufTensorRow{"blk.{}.post_ffw_norm_2", "model.layers.{}.post_feedforward_layernorm_2"},
    GgufTensorRow{"blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm"},
    GgufTensorRow{"blk.{}.inp_gate", "model.layers.{}.per_layer_input_gate"},
    GgufTensorRow{"blk.{}.proj", "model.layers.{}.per_layer_projection"},
    GgufTensorRow{"blk.{}.post_norm", "model.layers.{}.post_per_layer_input_norm"},
    GgufTensorRow{"blk.{}.layer_output_scale", "model.layers.{}.layer_scalar", none, ".weight"},
    GgufTensorRow{"output_norm", "model.norm"},
    GgufTensorRow{"output", "lm_head"},
};

inline constexpr std::array olmo2 = {
    GgufTensorRow{"token_embd", "model.embed_tokens"},
    GgufTensorRow{"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"},
    GgufTensorRow{"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm"},
    GgufTensorRow{"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"},
    GgufTensorRow{"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm"},
    GgufTensorRow{"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"},
    GgufTensorRow{"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    GgufTensorRow{"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"},
    GgufTensorRow{"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"},
    GgufTensorRow{"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"},
    GgufTensorRow{"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
    GgufTensorRow{"blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm"},
    GgufTensorRow{"output_norm", "model.norm"},
    GgufTensorRow{"output", "lm_head"},
};

inline constexpr std::array phi3 = {
    GgufTensorRow{"token_embd", "model.embed_tokens"},
    GgufTensorRow{"blk.{}.attn_norm", "model.layers.{}.input_layernorm"},
    GgufTensorRow{"blk.{}.attn_qkv", "model.layers.{}.self_attn.qkv_proj"},
    GgufTensorRow{"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    GgufTensorRow{"blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"},
    GgufTensorRow{"blk.{}.ffn_up", "model.layers.{}.mlp.gate_up_proj"},
    GgufTensorRow{"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
    GgufTensorRow{"output_norm", "model.norm"},
    GgufTensorRow{"output", "lm_head"},
};

inline constexpr std::array gpt_oss = {
    GgufTensorRow{"token_embd", "model.embed_tokens"},
    GgufTensorRow{"blk.{}.attn_norm", "model.layers.{}.input_layernorm"},
    GgufTensorRow{"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"},
    GgufTensorRow{"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"},
    GgufTensorRow{"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"},
    GgufTensorRow{"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    GgufTensorRow{"blk.{}.attn_sinks", "model.layers.{}.self_attn.sinks", none, ".weight"},
    GgufTensorRow{"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"},
    GgufTensorRow{"blk.{}.ffn_gate_inp", "model.layers.{}.mlp.router"},
    GgufTensorRow{"blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.gate_up_proj", even_columns,
                  ".weight"},
    GgufTensorRow{"blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.gate_up_proj", odd_columns,
                  ".weight"},
    GgufTensorRow{"blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.down_proj",
                  transposed_experts, ".weight"},
    GgufTensorRow{"blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.gate_up_proj_bias",
                  even_columns, ".bias"},
    GgufTensorRow{"blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.gate_up_proj_bias",
                  odd_columns, ".bias"},
    GgufTensorRow{"blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.down_proj_bias", none,
                  ".bias"},
    GgufTensorRow{"output_norm", "model.norm"},
    GgufTensorRow{"output", "lm_head"},
};

inline constexpr std::array deepseek = {
    GgufTensorRow{"token_embd", "model.embed_tokens"},
    GgufTensorRow{"blk.{}.attn_norm", "model.layers.{}.input_layernorm"},
    GgufTensorRow{"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"},
    GgufTensorRow{"blk.{}.attn_q_a", "model.layers.{}.self_attn.q_a_proj"},
    GgufTensorRow{"blk.{}.attn_q_a_norm", "model.layers.{}.self_attn.q_a_layernorm"},
    GgufTensorRow{"blk.{}.attn_q_b", "model.layers.{}.self_attn.q_b_proj"},
    GgufTensorRow{"blk.{}.attn_kv_a_mqa", "model.layers.{}.self_attn.kv_a_proj_with_mqa"},
    GgufTensorRow{"blk.{}.attn_kv_a_norm", "model.layers.{}.self_attn.kv_a_layernorm"},
    GgufTensorRow{"blk.{}.attn_k_b", "model.layers.{}.self_attn.kv_b_proj", latent_keys},
    GgufTensorRow{"blk.{}.attn_v_b", "model.layers.{}.self_attn.kv_b_proj", latent_values},
    GgufTensorRow{"blk.{}.attn_kv_b", "model.layers.{}.self_attn.kv_b_proj"},
    GgufTensorRow{"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    GgufTensorRow{"blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm"},
    GgufTensorRow{"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"},
    GgufTensorRow{"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"},
    GgufTensorRow{"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
    GgufTensorRow{"blk.{}.ffn_gate_inp", "model.layers.{}.mlp.gate"},
    GgufTensorRow{"blk.{}.exp_probs_b", "model.layers.{}.mlp.gate.e_score_correction_bias", none,
                  ".bias"},
    GgufTensorRow{"blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.{}.gate_proj"},
    GgufTensorRow{"blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.{}.up_proj"},
    GgufTensorRow{"blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.{}.down_proj"},
    GgufTensorRow{"blk.{}.ffn_gate_shexp", "model.layers.{}.mlp.shared_experts.gate_proj"},
    GgufTensorRow{"blk.{}.ffn_up_shexp", "model.layers.{}.mlp.shared_experts.up_proj"},
    GgufTensorRow{"blk.{}.ffn_down_shexp", "model.layers.{}.mlp.shared_experts.down_proj"},
    GgufTensorRow{"output_norm", "model.norm"},
    GgufTensorRow{"output", "lm_head"},
};

// And what chooses the positions.
inline constexpr std::array indexer = {
    GgufTensorRow{"blk.{}.indexer.k_norm", "model.layers.{}.self_attn.indexer.k_norm"},
    GgufTensorRow{"blk.{}.indexer.proj", "model.layers.{}.self_attn.indexer.weights_proj"},
    GgufTensorRow{"blk.{}.indexer.attn_k", "model.layers.{}.self_attn.indexer.wk"},
    GgufTensorRow{"blk.{}.indexer.attn_q_b", "model.layers.{}.self_attn.indexer.wq_b"},
};

inline constexpr auto deepseek32 = [] {
  std::array<GgufTensorRow, deepseek.size() + indexer.size()> all;
  std::ranges::copy(indexer, std::ranges::copy(deepseek, all.begin()).out);
  return all;
}();

inline constexpr std::array gpt2 = {
    GgufTensorRow{"token_embd", "transformer.wte"},
    GgufTensorRow{"position_embd", "transformer.wpe"},
    GgufTensorRow{"blk.{}.attn_norm", "transformer.h.{}.ln_1"},
    GgufTensorRow{"blk.{}.attn_qkv", "transformer.h.{}.attn.c_attn", transpose},
    GgufTensorRow{"blk.{}.attn_output", "transformer.h.{}.attn.c_proj", transpose},
    GgufTensorRow{"blk.{}.ffn_norm", "transformer.h.{}.ln_2"},
    GgufTensorRow{"blk.{}.ffn_up", "transformer.h.{}.mlp.c_fc", transpose},
    GgufTensorRow{"blk.{}.ffn_down", "transformer.h.{}.mlp.c_proj", transpose},
    GgufTensorRow{"output_norm", "transformer.ln_f"},
};

inline constexpr std::array neox = {
    GgufTensorRow{"token_embd", "gpt_neox.embed_in"},
    GgufTensorRow{"blk.{}.attn_norm", "gpt_neox.layers.{}.input_layernorm"},
    GgufTensorRow{"blk.{}.attn_qkv", "gpt_neox.layers.{}.attention.query_key_value", head_parts},
    GgufTensorRow{"blk.{}.attn_output", "gpt_neox.layers.{}.attention.dense"},
    GgufTensorRow{"blk.{}.ffn_norm", "gpt_neox.layers.{}.post_attention_layernorm"},
    GgufTensorRow{"blk.{}.ffn_up", "gpt_neox.layers.{}.mlp.dense_h_to_4h"},
    GgufTensorRow{"blk.{}.ffn_down", "gpt_neox.layers.{}.mlp.dense_4h_to_h"},
    GgufTensorRow{"output_norm", "gpt_neox.final_layer_norm"},
    GgufTensorRow{"output", "embed_out"},
};

}  // namespace alambic::gguf
