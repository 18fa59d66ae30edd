// Qwen3.5: sizes of the linear attention under the keys of state-space models, every how many
// layers there is a full one (llama.cpp's conversion/qwen.py and src/models/qwen35.cpp).
#include <fmt/format.h>

#include <algorithm>

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
    {"blk.{}.attn_qkv", "model.layers.{}.linear_attn.in_proj_qkv", value_rows},
    {"blk.{}.attn_gate", "model.layers.{}.linear_attn.in_proj_z", value_rows},
    {"blk.{}.ssm_conv1d", "model.layers.{}.linear_attn.conv1d", value_channels},
    {"blk.{}.ssm_alpha", "model.layers.{}.linear_attn.in_proj_a", value_rows},
    {"blk.{}.ssm_beta", "model.layers.{}.linear_attn.in_proj_b", value_rows},
    {"blk.{}.ssm_a", "model.layers.{}.linear_attn.A_log", decay, ""},
    {"blk.{}.ssm_dt", "model.layers.{}.linear_attn.dt_bias", value_rows, ".bias"},
    {"blk.{}.ssm_norm", "model.layers.{}.linear_attn.norm"},
    {"blk.{}.ssm_out", "model.layers.{}.linear_attn.out_proj", value_columns},
    {"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm", plus_one},
    {"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj"},
    {"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj"},
    {"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj"},
    {"blk.{}.ffn_gate_inp", "model.layers.{}.mlp.gate"},
    {"blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.{}.gate_proj"},
    {"blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.{}.up_proj"},
    {"blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.{}.down_proj"},
    {"blk.{}.ffn_gate_inp_shexp", "model.layers.{}.mlp.shared_expert_gate", one_row},
    {"blk.{}.ffn_gate_shexp", "model.layers.{}.mlp.shared_expert.gate_proj"},
    {"blk.{}.ffn_up_shexp", "model.layers.{}.mlp.shared_expert.up_proj"},
    {"blk.{}.ffn_down_shexp", "model.layers.{}.mlp.shared_expert.down_proj"},
    {"output_norm", "model.norm", plus_one},
    {"output", "lm_head"},
};

// Settings that tables can hold; functions below do the others.
constexpr auto own_sizes = with_common({
    {"context_length", "max_position_embeddings", length, "32768", true},
    {"feed_forward_length", "intermediate_size", size, ""},
    {"expert_feed_forward_length", "moe_intermediate_size", size, ""},
    {"expert_shared_feed_forward_length", "shared_expert_intermediate_size", size, ""},
    {"expert_count", "num_experts", experts, ""},
    {"expert_used_count", "num_experts_per_tok", size, ""},
    {"attention.head_count_kv", "num_key_value_heads", size, ""},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", real, "1e-6", true},
    {"ssm.conv_kernel", "linear_conv_kernel_dim", size, "", true},
    {"ssm.state_size", "linear_key_head_dim", size, "", true},
    {"ssm.group_count", "linear_num_key_heads", size, "", true},
    {"ssm.time_step_rank", "linear_num_value_heads", size, "", true},
});

// Pairs of a head that turn with time, height and width, in turn: [11, 11, 10] of 32. On text the
// three are the same position, but llama.cpp turns pairs that none of them has by 0.
std::vector<int64_t> even_sections(const Json& config) {
  const double turning =
      config.value("head_dim", 0.0) * config["rope_parameters"].value("partial_rotary_factor", 1.0);
  const auto pairs = static_cast<int64_t>(turning) / 2;
  return {(pairs + 2) / 3, (pairs + 1) / 3, pairs / 3};
}

constexpr int64_t max_layers = 512;  // a limit of llama.cpp
constexpr int64_t largest = int64_t{1} << 20;

int64_t bounded_size(const Json& config, const char* key, const std::string& where) {
  const Json value = config.value(key, Json());
  if (value.is_number_integer() && value >= 1 && value <= largest) return value;
  throw input_error("cannot read {}: \"{}\" should be a size from 1 to {}, found {}", where, key,
                    largest, value.dump());
}

std::vector<std::string> types_every(int64_t interval, int64_t layers) {
  std::vector<std::string> types;
  for (int64_t i = 0; i < layers; ++i) {
    types.emplace_back((i + 1) % interval == 0 ? "full_attention" : "linear_attention");
  }
  return types;
}

// Every how many layers one is full.
int64_t interval_of(const Json& config, int64_t layers, const std::string& where) {
  const Json& types = value_of(config, "layer_types");
  const auto first = std::ranges::find(types, "full_attention");
  const int64_t interval = first - types.begin() + 1;
  if (types != Json(types_every(interval, layers))) {
    throw input_error(
        "cannot convert {} to GGUF: \"layer_types\" is {}, but llama.cpp has only "
        "full attention in every layer of so many",
        where, types.dump());
  }
  return interval;
}

void read(const GgufReading& from, Json& config) {
  const GgufMetadata& metadata = from.metadata;
  const std::string prefix = from.prefix();
  tell_rotary_share(config["rope_parameters"]);
  const auto bad = [&](const std::string& key, const std::string& expected, int64_t found) {
    return input_error("cannot read {}: metadata {}{} should be {}, found {}", metadata.where(),
                       prefix, key, expected, found);
  };
  const int64_t layers = config.at("num_hidden_layers");
  if (layers > max_layers) {
    throw bad("block_count", fmt::format("at most {}", max_layers), layers);
  }
  const int64_t interval = metadata.integer(prefix + "full_attention_interval").value_or(4);
  if (interval < 1) throw bad("full_attention_interval", "positive", interval);
  config["layer_types"] = types_every(interval, layers);
  const std::string listed = prefix + "attention.recurrent_layers";
  if (metadata.find(listed) != nullptr) {
    const std::vector<double> linear = metadata.numbers(listed);
    if (std::ssize(linear) < layers) {  // more with layers for multi-token prediction
      throw bad("attention.recurrent_layers", "one entry a layer", std::ssize(linear));
    }
    for (int64_t i = 0; i < layers; ++i) {
      config["layer_types"][i] = linear[i] != 0 ? "linear_attention" : "full_attention";
    }
  }
  const int64_t heads = config.at("linear_num_value_heads");
  const int64_t inner = metadata.integer(prefix + "ssm.inner_size").value_or(0);
  if (heads < 1 || heads > largest) throw bad("ssm.time_step_rank", "a number of heads", heads);
  if (inner < heads || inner % heads != 0) {
    throw bad("ssm.inner_size", fmt::format("shared by {} heads", heads), inner);
  }
  config["linear_value_head_dim"] = inner / heads;
  const std::vector<double> sections = metadata.numbers(prefix + "rope.dimension_sections");
  if (sections.size() < 3) return;
  const std::vector<int64_t> first(sections.begin(), sections.begin() + 3);
  if (first == even_sections(config)) return;
  config["rope_parameters"]["mrope_section"] = first;
  config["rope_parameters"]["mrope_interleaved"] = true;
}

void complete(const GgufWriting& to, Json& config) {
  const std::string &where = to.where, prefix = to.prefix();
  GgufMetadata& metadata = to.metadata;
  const int64_t layers = bounded_size(config, "num_hidden_layers", where);
  if (layers > max_layers) {
    throw input_error(
        "cannot convert {} to GGUF: \"num_hidden_layers\" is {}, but llama.cpp has "
        "at most {}",
        where, layers, max_layers);
  }
  metadata.add(prefix + "full_attention_interval",
               static_cast<uint32_t>(interval_of(config, layers, where)));
  metadata.add(prefix + "ssm.inner_size",
               static_cast<uint32_t>(bounded_size(config, "linear_value_head_dim", where) *
                                     bounded_size(config, "linear_num_value_heads", where)));
  Json& rope = config["rope_parameters"];
  std::vector<int64_t> sections = even_sections(config);
  if (rope.contains("mrope_section")) rope["mrope_section"].get_to(sections);
  sections.resize(4);
  metadata.add(prefix + "rope.dimension_sections",
               GgufArray(std::vector<int32_t>(sections.begin(), sections.end())));
  rope.erase("mrope_section");
  rope.erase("mrope_interleaved");
}

constexpr std::string_view constants =
    R"({"hidden_act": "silu", "attention_bias": false, "attn_output_gate": true})";

}  // namespace

constexpr GgufArchitecture qwen3_5_rows[] = {
    {.name = "qwen35",
     .model_type = "qwen3_5_text",
     .architecture = "Qwen3_5ForCausalLM",
     .settings = own_sizes,
     .tensors = tensors,
     .constants = constants,
     .whole = "Qwen3_5ForConditionalGeneration",
     .words = {.read = read, .complete = complete}},
    {.name = "qwen35moe",
     .model_type = "qwen3_5_moe_text",
     .architecture = "Qwen3_5MoeForCausalLM",
     .settings = own_sizes,
     .tensors = tensors,
     .constants = constants,
     .whole = "Qwen3_5MoeForConditionalGeneration",
     .words = {.read = read, .complete = complete}},
};
extern const std::span<const GgufArchitecture> qwen3_5 = qwen3_5_rows;

}  // namespace alambic::gguf
