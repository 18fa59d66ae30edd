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
    GgufArchitecture{"gptneox", "gpt_neox", "GPTNeoXForCausalLM", neox_sizes, neox,
                     R"({"hidden_act": "gelu", "attention_bias": true})"},
    GgufArchitecture{"gpt2", "gpt2", "GPT2LMHeadModel", gpt2_sizes, gpt2,
                     R"({"activation_function": "gelu_new", "tie_word_embeddings": true})",
                     /*rotary=*/false},
};

// "a.12.b" as "a.{}.b" and 12.
std::pair<std::string, std::vector<int64_t>> without_numbers(std::string_view name) {
  std::string pattern;
  std::vector<int64_t> numbers;
  while (!name.empty()) {
    const std::string_view part = name.substr(0, name.find('.'));
    const bool number =
        !part.empty() && part.size() <= 6 && part.find_first_not_of("0123456789") == part.npos;
    if (number) numbers.push_back(std::stoll(std::string(part)));
    pattern += number ? "{}" : part;
    name.remove_prefix(part.size());
    if (name.empty()) break;
    pattern += '.';
    name.remove_prefix(1);
  }
  return {pattern, numbers};
}

std::optional<GgufPlace> place_of(const GgufArchitecture& family, std::string_view name,
                                  std::string_view GgufTensorRow::*field) {
  const std::string_view suffix = name.ends_with(".bias") ? ".bias" : ".weight";
  if (!name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  const auto [pattern, numbers] = without_numbers(name);
  for (const GgufTensorRow& row : family.tensors) {
    if (row.*field != pattern) continue;
    return GgufPlace{.row = &row,
                     .layer = numbers.empty() ? -1 : numbers[0],
                     .expert = numbers.size() < 2 ? -1 : numbers[1],
                     .suffix = std::string(suffix)};
  }
  return std::nullopt;
}

std::string with_numbers(std::string_view pattern, int64_t layer, int64_t expert) {
  std::string name(pattern);
  for (const int64_t number : {layer, expert}) {
    const size_t at = name.find("{}");
    if (at != name.npos) name.replace(at, 2, std::to_string(number));
  }
  return name;
}

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

std::string GgufPlace::gguf_name() const { return with_numbers(row->gguf, layer, expert) + suffix; }

std::string GgufPlace::hf_name() const { return with_numbers(row->hf, layer, expert) + suffix; }

bool GgufPlace::has_experts() const { return row->hf.find("{}") != row->hf.rfind("{}"); }

std::optional<GgufPlace> place_of_gguf(const GgufArchitecture& family, std::string_view name) {
  return place_of(family, name, &GgufTensorRow::gguf);
}

std::optional<GgufPlace> place_of_hf(const GgufArchitecture& family, std::string_view name) {
  return place_of(family, name, &GgufTensorRow::hf);
}

}  // namespace alambic
