// DeepSeek-V2, V3 and V3.2: one architecture for V2 and V3, widths of heads with and without
// absorption, YaRN's magnitude.
#include <fmt/format.h>

#include <algorithm>

#include "alambic/base/json_fields.h"
#include "alambic/io/gguf/architectures/words.h"
#include "alambic/io/gguf/rope.h"

namespace alambic::gguf {

namespace {

constexpr std::array own_tensors = {
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
constexpr GgufTensorRow indexer_tensors[] = {
    {"blk.{}.indexer.k_norm", "model.layers.{}.self_attn.indexer.k_norm"},
    {"blk.{}.indexer.proj", "model.layers.{}.self_attn.indexer.weights_proj"},
    {"blk.{}.indexer.attn_k", "model.layers.{}.self_attn.indexer.wk"},
    {"blk.{}.indexer.attn_q_b", "model.layers.{}.self_attn.indexer.wq_b"},
};
constexpr auto indexed_tensors = joined(own_tensors, indexer_tensors);

// Settings that tables can hold; functions below do the others.
constexpr auto own_sizes = with_common({
    {"context_length", "max_position_embeddings", length, "2048", true},
    {"feed_forward_length", "intermediate_size", size, "", true},
    {"expert_feed_forward_length", "moe_intermediate_size", size, "", true},
    {"expert_count", "n_routed_experts", experts, "", true},
    {"expert_used_count", "num_experts_per_tok", size, "", true},
    {"expert_shared_count", "n_shared_experts", size, "", true},
    {"expert_group_count", "n_group", size, ""},
    {"expert_group_used_count", "topk_group", size, ""},
    {"expert_weights_scale", "routed_scaling_factor", real, "1.0"},
    {"attention.q_lora_rank", "q_lora_rank", size, ""},
    {"attention.kv_lora_rank", "kv_lora_rank", size, "", true},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-6", true},
});

constexpr GgufSetting indexer_sizes[] = {
    {"attention.indexer.head_count", "index_n_heads", size, "", true},
    {"attention.indexer.key_length", "index_head_dim", size, "", true},
    {"attention.indexer.top_k", "index_topk", length, "", true},
};
constexpr auto indexed_sizes = joined(own_sizes, indexer_sizes);

const std::string indexed_prefix = "deepseek32.";  // V3.2's keys
constexpr int64_t softmax = 1, sigmoid = 2;        // expert_gating_func

constexpr int64_t widest = int64_t{1} << 20;  // limit of widths, so that products do not overflow

int64_t width_of(const GgufMetadata& metadata, const std::string& prefix, const std::string& key) {
  const auto value = metadata.integer(prefix + key);
  if (value && *value >= 1 && *value <= widest) return *value;
  throw input_error("cannot read {}: metadata {}{} should be the width of a head, found {}",
                    metadata.where(), prefix, key, value ? std::to_string(*value) : "nothing");
}

bool is_v3(const GgufMetadata& metadata, const std::string& prefix,
           const std::vector<TensorView>& tensors) {
  const auto function = metadata.integer(prefix + "expert_gating_func");
  if (!function) {
    return std::ranges::any_of(
        tensors, [](const auto& tensor) { return tensor.name.ends_with(".exp_probs_b.bias"); });
  }
  if (*function == softmax || *function == sigmoid) return *function == sigmoid;
  throw input_error(
      "cannot read {}: {}expert_gating_func is {}, but only 1 (softmax) and 2 (sigmoid) are read",
      metadata.where(), prefix, *function);
}

void read_widths(const GgufMetadata& metadata, const std::string& prefix, Json& config) {
  // With absorption key_length is that of the one head of latents.
  const bool absorbed = metadata.find(prefix + "attention.key_length_mla") != nullptr;
  const std::string end = absorbed ? "_mla" : "";
  const int64_t key = width_of(metadata, prefix, "attention.key_length" + end);
  const int64_t turned = width_of(metadata, prefix, "rope.dimension_count");
  if (turned >= key) {
    throw input_error("cannot read {}: {}attention.key_length{} is {}, of which {} turn",
                      metadata.where(), prefix, end, key, turned);
  }
  config["qk_nope_head_dim"] = key - turned;
  config["qk_rope_head_dim"] = turned;
  config["v_head_dim"] = width_of(metadata, prefix, "attention.value_length" + end);
}

Json read_rope(const GgufReading& from, int64_t turned) {
  const GgufMetadata& metadata = from.metadata;
  const std::string key = from.prefix() + "rope.scaling.yarn_log_multiplier";
  Json rope = rope_of_gguf(from, turned / 2);
  const auto tenth = metadata.number(key);
  if (rope.contains("attention_factor") ||
      (rope["rope_type"] == "linear" && tenth.value_or(0) != 0)) {
    throw input_error("cannot read {}: of {}rope.scaling only yarn or a plain factor is read",
                      metadata.where(), from.prefix());
  }
  if (rope["rope_type"] != "yarn") return rope;
  if (!tenth) throw input_error("cannot read {}: it has no metadata {}", metadata.where(), key);
  // The shortest decimal that is this float32: 0.707.
  const auto magnitude = static_cast<float>(10 * *tenth);
  rope["mscale"] = rope["mscale_all_dim"] = std::stod(fmt::format("{:.6g}", magnitude));
  return rope;
}

void add_yarn_magnitude(Json& rope, const std::string& where, const std::string& prefix,
                        GgufMetadata& metadata) {
  const Json type = rope.contains("rope_type") ? rope["rope_type"] : rope.value("type", Json());
  if (type != "yarn") return;
  const Json all = rope.value("mscale_all_dim", Json());
  if (!all.is_number() || rope.value("mscale", Json()) != all) {
    throw input_error(
        "cannot convert {}: GGUF has YaRN for DeepSeek only with mscale equal to mscale_all_dim, "
        "found {}",
        where, rope.dump());
  }
  metadata.add(prefix + "rope.scaling.yarn_log_multiplier", 0.1F * all.get<float>());
  rope.erase("mscale");
  rope.erase("mscale_all_dim");
}

uint32_t size_from(const Json& config, const char* key, int64_t min, const std::string& where) {
  const Json value = config.value(key, Json());
  if (value.is_number_integer() && value >= min && value < int64_t{1} << 31) {
    return value.get<uint32_t>();
  }
  throw input_error("cannot read {}: \"{}\" should be a size from {}, found {}", where, key, min,
                    value.dump());
}

// llama.cpp has the first layers dense, and an indexer in every layer.
void check_layer_types(const Json& config, const std::string& where) {
  const auto wrong = [&](const char* key, const Json& found, const std::string& expected) {
    return input_error("cannot convert {} to GGUF: \"{}\" is {}, but llama.cpp has only {}", where,
                       key, found.dump(), expected);
  };
  const Json kinds = config.value("layer_types", Json()),
             mlps = config.value("mlp_layer_types", Json());
  const uint32_t dense = size_from(config, "first_k_dense_replace", 0, where);
  for (size_t i = 0; i < kinds.size(); ++i) {
    if (kinds[i] != "indexed_attention") {
      throw wrong("layer_types", kinds[i], "\"indexed_attention\"");
    }
  }
  for (size_t i = 0; i < mlps.size(); ++i) {
    if (mlps[i] != (i < dense ? "dense" : "sparse")) {
      throw wrong("mlp_layer_types", mlps, "the first first_k_dense_replace dense");
    }
  }
}

void read(const GgufReading& from, Json& config) {
  const GgufMetadata& metadata = from.metadata;
  const std::vector<TensorView>& tensors = from.tensors;
  const std::string prefix = from.prefix();
  read_widths(metadata, prefix, config);
  config["num_key_value_heads"] = config["num_attention_heads"];
  config["first_k_dense_replace"] =
      metadata.integer(prefix + "leading_dense_block_count").value_or(0);
  if (!config.contains("q_lora_rank")) config["q_lora_rank"] = nullptr;  // not the default
  if (!config.contains("routed_scaling_factor")) config["routed_scaling_factor"] = 1.0;
  if (!config.contains("n_group")) config["n_group"] = config["topk_group"] = 1;
  config["norm_topk_prob"] = metadata.flag(prefix + "expert_weights_norm").value_or(false);
  config["rope_parameters"] = read_rope(from, config["qk_rope_head_dim"]);
  const bool indexed = prefix == indexed_prefix;
  const bool v3 = is_v3(metadata, prefix, tensors);
  if (indexed && !v3) {
    throw input_error("cannot read {}: {}expert_gating_func should be 2 (sigmoid)",
                      metadata.where(), prefix);
  }
  if (indexed) {
    config.erase("head_dim");
  } else if (v3) {
    config["architectures"] = {"DeepseekV3ForCausalLM"};
    config["model_type"] = "deepseek_v3";
    config["scoring_func"] = "sigmoid";
    config["topk_method"] = "noaux_tc";
    config["num_nextn_predict_layers"] = 0;
    config.erase("mlp_bias");
  } else {
    config["topk_method"] = config["n_group"] == 1 ? "greedy" : "group_limited_greedy";
  }
}

GgufFrequencies add(const GgufWriting& to, const Json& config, Json& rope) {
  const std::string &where = to.where, prefix = to.prefix();
  GgufMetadata& metadata = to.metadata;
  check_layer_types(config, where);
  for (const char* key : {"kv_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim"}) {
    check_count(to.limits, CountKind::size, size_from(config, key, 1, where),
                fmt::format("\"{}\"", key), where);
  }
  const uint32_t latent = size_from(config, "kv_lora_rank", 1, where);
  const uint32_t turned = size_from(config, "qk_rope_head_dim", 1, where);
  metadata.add(prefix + "leading_dense_block_count",
               size_from(config, "first_k_dense_replace", 0, where));
  metadata.add(prefix + "attention.head_count_kv", uint32_t{1});
  metadata.add(prefix + "attention.key_length", latent + turned);
  metadata.add(prefix + "attention.value_length", latent);
  metadata.add(prefix + "attention.key_length_mla",
               size_from(config, "qk_nope_head_dim", 1, where) + turned);
  metadata.add(prefix + "attention.value_length_mla", size_from(config, "v_head_dim", 1, where));
  const bool v3 = prefix == indexed_prefix || config.value("model_type", Json()) == "deepseek_v3";
  metadata.add(prefix + "expert_gating_func", static_cast<uint32_t>(v3 ? sigmoid : softmax));
  metadata.add(prefix + "expert_weights_norm",
               JsonFields{config, where}.truth("norm_topk_prob", v3));
  add_yarn_magnitude(rope, where, prefix, metadata);
  const GgufFrequencies factors =
      add_gguf_rope(rope, turned, size_from(config, "max_position_embeddings", 1, where), where,
                    prefix, metadata);
  if (!factors.empty()) {
    throw input_error("cannot convert {}: llama.cpp has no scaling of this type for DeepSeek: {}",
                      where, rope.dump());
  }
  return {};
}

constexpr std::string_view corrected =
    R"({"hidden_act": "silu", "attention_bias": false, "moe_layer_freq": 1,
        "rope_interleave": true, "scoring_func": "sigmoid", "topk_method": "noaux_tc"})";

}  // namespace

constexpr GgufArchitecture deepseek_rows[] = {
    {.name = "deepseek2",
     .model_type = "deepseek_v2",
     .architecture = "DeepseekV2ForCausalLM",
     .settings = own_sizes,
     .tensors = own_tensors,
     .constants = R"({"hidden_act": "silu", "attention_bias": false, "mlp_bias": false,
                      "moe_layer_freq": 1, "norm_topk_prob": false, "scoring_func": "softmax"})",
     .rotary = false,
     .words = {.read = read, .add = add}},
    {.name = "deepseek2",
     .model_type = "deepseek_v3",
     .architecture = "DeepseekV3ForCausalLM",
     .settings = own_sizes,
     .tensors = own_tensors,
     .constants = corrected,
     .rotary = false,
     .words = {.read = read, .add = add}},
    {.name = "deepseek32",
     .model_type = "deepseek_v32",
     .architecture = "DeepseekV32ForCausalLM",
     .settings = indexed_sizes,
     .tensors = indexed_tensors,
     .constants = corrected,
     .rotary = false,
     .words = {.read = read, .add = add}},
};
extern const std::span<const GgufArchitecture> deepseek = deepseek_rows;

}  // namespace alambic::gguf
