#include "alambic/io/gguf_architecture.h"

#include <algorithm>
#include <array>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/io/printable.h"

namespace alambic {

namespace {

using enum GgufChange;
constexpr auto integer = GgufSetting::integer, real = GgufSetting::real, flag = GgufSetting::flag;

constexpr std::array sizes = {
    GgufSetting{"context_length", "max_position_embeddings", integer, "2048", true},
    GgufSetting{"embedding_length", "hidden_size", integer, "", true},
    GgufSetting{"block_count", "num_hidden_layers", integer, "", true},
    GgufSetting{"feed_forward_length", "intermediate_size", integer, "", true},
    GgufSetting{"attention.head_count", "num_attention_heads", integer, "", true},
    GgufSetting{"attention.head_count_kv", "num_key_value_heads", integer, ""},
    GgufSetting{"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-6", true},
    GgufSetting{"attention.sliding_window", "sliding_window", integer, ""},
    GgufSetting{"expert_count", "num_local_experts", integer, ""},
    GgufSetting{"expert_used_count", "num_experts_per_tok", integer, ""},
    GgufSetting{"attn_logit_softcapping", "attn_logit_softcapping", real, ""},
    GgufSetting{"final_logit_softcapping", "final_logit_softcapping", real, ""},
};

constexpr std::array qwen_moe_sizes = {
    GgufSetting{"context_length", "max_position_embeddings", integer, "2048", true},
    GgufSetting{"embedding_length", "hidden_size", integer, "", true},
    GgufSetting{"block_count", "num_hidden_layers", integer, "", true},
    GgufSetting{"feed_forward_length", "intermediate_size", integer, "", true},
    GgufSetting{"expert_feed_forward_length", "moe_intermediate_size", integer, "", true},
    GgufSetting{"expert_count", "num_experts", integer, "", true},
    GgufSetting{"expert_used_count", "num_experts_per_tok", integer, "", true},
    GgufSetting{"attention.head_count", "num_attention_heads", integer, "", true},
    GgufSetting{"attention.head_count_kv", "num_key_value_heads", integer, ""},
    GgufSetting{"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-6", true},
};

constexpr std::array gpt_oss_sizes = {
    GgufSetting{"context_length", "max_position_embeddings", integer, "131072", true},
    GgufSetting{"embedding_length", "hidden_size", integer, "", true},
    GgufSetting{"block_count", "num_hidden_layers", integer, "", true},
    GgufSetting{"feed_forward_length", "intermediate_size", integer, ""},
    GgufSetting{"expert_feed_forward_length", "intermediate_size", integer, "", true},
    GgufSetting{"expert_count", "num_local_experts", integer, "", true},
    GgufSetting{"expert_used_count", "num_experts_per_tok", integer, "", true},
    GgufSetting{"attention.head_count", "num_attention_heads", integer, "", true},
    GgufSetting{"attention.head_count_kv", "num_key_value_heads", integer, ""},
    GgufSetting{"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-5", true},
    GgufSetting{"attention.sliding_window", "sliding_window", integer, "128", true},
};

// What is not here: gguf_deepseek.cpp.
constexpr std::array deepseek_sizes = {
    GgufSetting{"context_length", "max_position_embeddings", integer, "2048", true},
    GgufSetting{"embedding_length", "hidden_size", integer, "", true},
    GgufSetting{"block_count", "num_hidden_layers", integer, "", true},
    GgufSetting{"feed_forward_length", "intermediate_size", integer, "", true},
    GgufSetting{"expert_feed_forward_length", "moe_intermediate_size", integer, "", true},
    GgufSetting{"expert_count", "n_routed_experts", integer, "", true},
    GgufSetting{"expert_used_count", "num_experts_per_tok", integer, "", true},
    GgufSetting{"expert_shared_count", "n_shared_experts", integer, "", true},
    GgufSetting{"expert_group_count", "n_group", integer, ""},
    GgufSetting{"expert_group_used_count", "topk_group", integer, ""},
    GgufSetting{"expert_weights_scale", "routed_scaling_factor", real, "1.0"},
    GgufSetting{"attention.head_count", "num_attention_heads", integer, "", true},
    GgufSetting{"attention.q_lora_rank", "q_lora_rank", integer, ""},
    GgufSetting{"attention.kv_lora_rank", "kv_lora_rank", integer, "", true},
    GgufSetting{"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-6", true},
};

constexpr std::array gpt2_sizes = {
    GgufSetting{"context_length", "n_positions", integer, "1024", true},
    GgufSetting{"embedding_length", "n_embd", integer, "", true},
    GgufSetting{"block_count", "n_layer", integer, "", true},
    GgufSetting{"feed_forward_length", "n_inner", integer, "", true},
    GgufSetting{"attention.head_count", "n_head", integer, "", true},
    GgufSetting{"attention.layer_norm_epsilon", "layer_norm_epsilon", real, "1e-5", true},
};

constexpr std::array neox_sizes = {
    GgufSetting{"context_length", "max_position_embeddings", integer, "2048", true},
    GgufSetting{"embedding_length", "hidden_size", integer, "", true},
    GgufSetting{"block_count", "num_hidden_layers", integer, "", true},
    GgufSetting{"feed_forward_length", "intermediate_size", integer, "", true},
    GgufSetting{"attention.head_count", "num_attention_heads", integer, "", true},
    GgufSetting{"attention.layer_norm_epsilon", "layer_norm_eps", real, "1e-5", true},
    GgufSetting{"use_parallel_residual", "use_parallel_residual", flag, "true", true},
};

constexpr std::array llama = {
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

constexpr std::array qwen = {
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

constexpr std::array gemma = {
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

constexpr std::array olmo2 = {
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

constexpr std::array phi3 = {
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

constexpr std::array gpt_oss = {
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

constexpr std::array deepseek = {
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

constexpr std::array gpt2 = {
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

constexpr std::array neox = {
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

constexpr std::string_view silu = R"({"hidden_act": "silu"})";
constexpr std::string_view qwen_constants =
    R"({"hidden_act": "silu", "use_sliding_window": false})";
constexpr std::string_view gemma_constants =
    R"({"hidden_activation": "gelu_pytorch_tanh", "attention_bias": false,
        "tie_word_embeddings": true})";

// The first of a name is what a GGUF file becomes; the first of an architecture is what is written.
const std::array families = {
    GgufArchitecture{"llama", "llama", "LlamaForCausalLM", sizes, llama, silu, true, true},
    GgufArchitecture{"llama", "mistral", "MistralForCausalLM", sizes, llama, silu},
    GgufArchitecture{"llama", "mixtral", "MixtralForCausalLM", sizes, llama, silu},
    GgufArchitecture{"qwen3moe", "qwen3_moe", "Qwen3MoeForCausalLM", qwen_moe_sizes, qwen,
                     R"({"hidden_act": "silu", "use_sliding_window": false, "attention_bias": false,
                         "norm_topk_prob": true, "decoder_sparse_step": 1, "mlp_only_layers": []})"},
    GgufArchitecture{"smollm3", "smollm3", "SmolLM3ForCausalLM", sizes, llama,
                     R"({"hidden_act": "silu", "use_sliding_window": false})", true, true},
    GgufArchitecture{"qwen2", "qwen2", "Qwen2ForCausalLM", sizes, qwen, qwen_constants},
    GgufArchitecture{"qwen3", "qwen3", "Qwen3ForCausalLM", sizes, qwen,
                     R"({"hidden_act": "silu", "use_sliding_window": false,
                         "attention_bias": false})"},
    GgufArchitecture{"gemma2", "gemma2", "Gemma2ForCausalLM", sizes, gemma, gemma_constants},
    GgufArchitecture{"gemma3", "gemma3_text", "Gemma3ForCausalLM", sizes, gemma, gemma_constants},
    GgufArchitecture{"olmo2", "olmo2", "Olmo2ForCausalLM", sizes, olmo2,
                     R"({"hidden_act": "silu", "attention_bias": false})"},
    GgufArchitecture{"phi3", "phi3", "Phi3ForCausalLM", sizes, phi3, silu},
    GgufArchitecture{"gpt-oss", "gpt_oss", "GptOssForCausalLM", gpt_oss_sizes, gpt_oss,
                     R"({"hidden_act": "silu", "attention_bias": true, "swiglu_alpha": 1.702,
                         "swiglu_limit": 7.0})"},
    GgufArchitecture{"deepseek2", "deepseek_v2", "DeepseekV2ForCausalLM", deepseek_sizes, deepseek,
                     R"({"hidden_act": "silu", "attention_bias": false, "mlp_bias": false,
                         "moe_layer_freq": 1, "norm_topk_prob": false, "scoring_func": "softmax"})",
                     /*rotary=*/false},
    GgufArchitecture{"deepseek2", "deepseek_v3", "DeepseekV3ForCausalLM", deepseek_sizes, deepseek,
                     R"({"hidden_act": "silu", "attention_bias": false, "moe_layer_freq": 1,
                         "rope_interleave": true, "scoring_func": "sigmoid",
                         "topk_method": "noaux_tc"})",
                     /*rotary=*/false},
    GgufArchitecture{"gptneox", "gpt_neox", "GPTNeoXForCausalLM", neox_sizes, neox,
                     R"({"hidden_act": "gelu", "attention_bias": true})"},
    GgufArchitecture{"gpt2", "gpt2", "GPT2LMHeadModel", gpt2_sizes, gpt2,
                     R"({"activation_function": "gelu_new", "tie_word_embeddings": true})",
                     /*rotary=*/false},
};

}  // namespace

const GgufArchitecture& gguf_architecture(std::string_view name, const std::string& where) {
  std::vector<std::string> known;
  for (const GgufArchitecture& family : families) {
    if (family.name == name) return family;
    if (known.empty() || known.back() != family.name) known.emplace_back(family.name);
  }
  throw input_error("cannot read {}: general.architecture is \"{}\", which is not known", where,
                    printable(name))
      .with_hint("known architectures: " + join(known));
}

const GgufArchitecture& gguf_architecture_of(const nlohmann::ordered_json& config,
                                             const std::string& where) {
  const auto list = config.value("architectures", nlohmann::ordered_json());
  const bool named = list.is_array() && !list.empty() && list[0].is_string();
  const auto type = config.value("model_type", nlohmann::ordered_json());
  std::vector<std::string> known;
  for (const GgufArchitecture& family : families) {
    if (named ? list[0] == family.architecture : type == family.model_type) return family;
    known.emplace_back(family.architecture);
  }
  throw input_error("cannot convert {}: GGUF files of the architecture {} are not written", where,
                    printable(named ? list[0].dump() : type.dump()))
      .with_hint("known architectures: " + join(known));
}

}  // namespace alambic
