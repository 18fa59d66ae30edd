// Gemma 2 and 3: norms of 1 + weight, layers of two kinds in an order that llama.cpp has in its
// code, angles of their own in Gemma 3's layers with a window.
#include "alambic/io/gguf/architectures/words.h"

namespace alambic::gguf {

namespace {

constexpr GgufTensorRow tensors[] = {
    {"token_embd", "model.embed_tokens"},
    {"blk.{}.attn_norm", "model.layers.{}.input_layernorm", plus_one},
    {"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj"},
    {"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm", plus_one},
    {"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj"},
    {"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm", plus_one},
    {"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj"},
    {"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj"},
    {"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm", plus_one},
    {"blk.{}.ffn_norm", "model.layers.{}.pre_feedforward_layernorm", plus_one},
    {"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"},
    {"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"},
    {"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
    {"blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm", plus_one},
    {"output_norm", "model.norm", plus_one},
};

constexpr std::string_view constants =
    R"({"hidden_activation": "gelu_pytorch_tanh", "attention_bias": false,
        "tie_word_embeddings": true})";
constexpr int64_t gemma3_pattern = 6;  // the last of so many layers has no window

bool is_gemma3(const GgufArchitecture& family) { return family.name == "gemma3"; }

int64_t period_of(const GgufArchitecture& family) { return is_gemma3(family) ? gemma3_pattern : 2; }

// Defaults of both sides' caps of scores and logits; neither has Gemma 2 without them.
constexpr std::pair<const char*, double> caps[] = {{"attn_logit_softcapping", 50.0},
                                                   {"final_logit_softcapping", 30.0}};

// Scores are divided by the root of this; llama.cpp knows the largest models' by their layers.
int64_t query_scalar(const GgufArchitecture& family, const Json& config, int64_t head_dim) {
  const int64_t layers = integer_or(config, "num_hidden_layers", 0);
  if (layers != (is_gemma3(family) ? 62 : 46)) return head_dim;
  return integer_or(config, "hidden_size", 0) / integer_or(config, "num_attention_heads", 1);
}

void read(const GgufReading& from, Json& config) {
  if (is_gemma3(from.family)) {
    if (config["rope_parameters"].contains("attention_factor")) {
      throw input_error(
          "cannot read {}: metadata {}rope.scaling.attn_factor, which also counts in layers with a "
          "window, is not read for Gemma 3",
          from.metadata.where(), from.prefix());
    }
    Json local = Json::object(), both = Json::object();
    local["rope_type"] = "default";
    local["rope_theta"] = from.metadata.number(from.prefix() + "rope.freq_base_swa").value_or(1e4);
    both["full_attention"] = config["rope_parameters"];
    both["sliding_attention"] = std::move(local);
    config["rope_parameters"] = std::move(both);
  } else {  // caps that llama.cpp has without a key
    for (const auto& [key, cap] : caps) {
      if (!has(config, key)) config[key] = cap;
    }
  }
  config["query_pre_attn_scalar"] =
      query_scalar(from.family, config, integer_or(config, "head_dim", 0));
  config["layer_types"] =
      read_layer_types(from, integer_or(config, "num_hidden_layers", 0), period_of(from.family));
}

void add_local_rope(const GgufWriting& to, const Json& config, Json& rope) {
  const Json local =
      rope.contains("sliding_attention") ? rope["sliding_attention"] : Json(Json::object());
  if (text_or(local, "rope_type", "default") != "default") {
    throw refusal(to.where, "rope_parameters", value_of(config, "rope_parameters"),
                  "unscaled angles in layers with a window");
  }
  const double old = number_or(config, "rope_local_base_freq", 1e4);
  to.metadata.add(to.prefix() + "rope.freq_base_swa",
                  static_cast<float>(number_or(local, "rope_theta", old)));
  if (rope.contains("full_attention")) rope = Json(rope["full_attention"]);
  if (!rope.contains("rope_theta")) rope["rope_theta"] = 1e6;
}

void complete(const GgufWriting& to, Json& config) {
  if (is_gemma3(to.family)) {
    const char* scores = "attn_logit_softcapping";
    if (has(config, scores)) throw refusal(to.where, scores, config[scores], "null");
    return;
  }
  for (const auto& [key, cap] : caps) {
    if (!config.contains(key)) config[key] = cap;
    if (config[key].is_null()) throw refusal(to.where, key, config[key], "a number");
  }
}

void rope(const GgufWriting& to, const Json& config, int64_t head_dim, Json& rope) {
  add_layer_types(to, config, period_of(to.family));
  if (is_gemma3(to.family)) add_local_rope(to, config, rope);
  const int64_t scalar = query_scalar(to.family, config, head_dim);
  if (has(config, "query_pre_attn_scalar") && config["query_pre_attn_scalar"] != scalar) {
    throw refusal(to.where, "query_pre_attn_scalar", config["query_pre_attn_scalar"],
                  std::to_string(scalar));
  }
}

constexpr GgufSetting gemma3_settings[] = {
    {"final_logit_softcapping", "final_logit_softcapping", real, ""}};
constexpr auto gemma3_sizes = joined(sizes, gemma3_settings);
constexpr GgufSetting gemma2_settings[] = {
    {"attn_logit_softcapping", "attn_logit_softcapping", real, ""}};
constexpr auto gemma2_sizes = joined(gemma3_sizes, gemma2_settings);

}  // namespace

constexpr GgufArchitecture gemma_rows[] = {
    {.name = "gemma2",
     .model_type = "gemma2",
     .architecture = "Gemma2ForCausalLM",
     .settings = gemma2_sizes,
     .tensors = tensors,
     .constants = constants,
     .tied = true,
     .words = {.read = read, .complete = complete, .rope = rope}},
    {.name = "gemma3",
     .model_type = "gemma3_text",
     .architecture = "Gemma3ForCausalLM",
     .settings = gemma3_sizes,
     .tensors = tensors,
     .constants = constants,
     .tied = true,
     .words = {.read = read, .complete = complete, .rope = rope}},
};
extern const std::span<const GgufArchitecture> gemma = gemma_rows;

}  // namespace alambic::gguf
