// gpt-oss: experts that the folder has stacked, gate and up in alternate columns; a window in every
// second layer.
#include "alambic/io/gguf/architectures/words.h"

namespace alambic::gguf {

namespace {

constexpr GgufTensorRow tensors[] = {
    {"token_embd", "model.embed_tokens"},
    {"blk.{}.attn_norm", "model.layers.{}.input_layernorm"},
    {"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"},
    {"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"},
    {"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"},
    {"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    {"blk.{}.attn_sinks", "model.layers.{}.self_attn.sinks", none, ".weight"},
    {"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"},
    {"blk.{}.ffn_gate_inp", "model.layers.{}.mlp.router"},
    {"blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.gate_up_proj", even_columns, ".weight"},
    {"blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.gate_up_proj", odd_columns, ".weight"},
    {"blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.down_proj", transposed_experts,
     ".weight"},
    {"blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.gate_up_proj_bias", even_columns,
     ".bias"},
    {"blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.gate_up_proj_bias", odd_columns, ".bias"},
    {"blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.down_proj_bias", none, ".bias"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
};

constexpr auto own_sizes = with_common({
    {"context_length", "max_position_embeddings", length, "131072", true},
    {"feed_forward_length", "intermediate_size", size, ""},
    {"expert_feed_forward_length", "intermediate_size", size, "", true},
    {"expert_count", "num_local_experts", experts, "", true},
    {"expert_used_count", "num_experts_per_tok", size, "", true},
    {"attention.head_count_kv", "num_key_value_heads", size, ""},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-5", true},
    {"attention.sliding_window", "sliding_window", length, "128", true},
});

void read(const GgufReading& from, Json& config) {
  Json& rope = config["rope_parameters"];
  if (rope["rope_type"] == "yarn") rope["truncate"] = false;
  config["layer_types"] = read_layer_types(from, integer_or(config, "num_hidden_layers", 0), 2);
}

void rope(const GgufWriting& to, const Json& config, int64_t, Json& rope) {
  add_layer_types(to, config, 2);
  const bool yarn = text_or(rope, "rope_type", text_or(rope, "type", "default")) == "yarn";
  if (yarn && flag_or(rope, "truncate", true)) {
    throw refusal(to.where, "rope_parameters", value_of(config, "rope_parameters"),
                  "bounds that are not rounded (truncate: false)");
  }
  rope.erase("truncate");
}

}  // namespace

constexpr GgufArchitecture gpt_oss_rows[] = {
    {.name = "gpt-oss",
     .model_type = "gpt_oss",
     .architecture = "GptOssForCausalLM",
     .settings = own_sizes,
     .tensors = tensors,
     .constants = R"({"hidden_act": "silu", "attention_bias": true, "swiglu_alpha": 1.702,
                      "swiglu_limit": 7.0})",
     .words = {.read = read, .rope = rope}},
};
extern const std::span<const GgufArchitecture> gpt_oss = gpt_oss_rows;

}  // namespace alambic::gguf
