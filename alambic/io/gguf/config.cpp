#include "alambic/io/gguf/config.h"

#include <algorithm>
#include <limits>

#include "alambic/base/error.h"
#include "alambic/io/gguf/deepseek.h"
#include "alambic/io/gguf/gemma4.h"
#include "alambic/io/gguf/qwen3_5.h"
#include "alambic/io/gguf/rope.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

std::string prefix_of(const GgufArchitecture& family) { return std::string(family.name) + "."; }

bool is_deepseek(const GgufArchitecture& family) {
  return family.name == "deepseek2" || family.name == "deepseek32";
}

bool is_qwen3_5(const GgufArchitecture& family) {
  return family.name == "qwen35" || family.name == "qwen35moe";
}

bool has(const Json& config, std::string_view key) {
  return config.contains(key) && !config[std::string(key)].is_null();
}

// The shortest decimal that is this float32: 1e-05, not 9.99999974737875e-06.
double shortest(double stored) { return std::stod(fmt::format("{}", static_cast<float>(stored))); }

int64_t vocabulary_of(const GgufMetadata& metadata, const std::vector<TensorView>& tensors) {
  const TensorView* embedding = tensor_named(tensors, "token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2) {
    throw input_error("cannot load {}: it has no tensor token_embd.weight of two dimensions",
                      metadata.where())
        .with_hint("a file with only a vocabulary?");
  }
  return embedding->shape[0];
}

const char* dtype_name(const std::vector<TensorView>& tensors) {
  switch (tensor_named(tensors, "token_embd.weight")->dtype) {
    case Dtype::F16:
      return "float16";
    case Dtype::BF16:
      return "bfloat16";
    default:
      return "float32";
  }
}

// Gemma divides by the root of this; llama.cpp knows the largest models' by their layers.
int64_t query_scalar(const GgufArchitecture& family, const Json& config, int64_t head_dim) {
  if (config.at("num_hidden_layers") != (family.name == "gemma2" ? 46 : 62)) return head_dim;
  return config.at("hidden_size").get<int64_t>() / config.at("num_attention_heads").get<int64_t>();
}

constexpr int gemma3_pattern = 6;  // the last of so many layers has no window

// "layer_types" that the architecture implies; empty when it has none.
std::vector<std::string> layer_types(const GgufArchitecture& family, int64_t layers) {
  std::vector<std::string> types;
  const bool two = family.name == "gemma2" || family.name == "gpt-oss";
  const bool three = family.name == "gemma3";
  for (int64_t i = 0; (two || three) && i < layers; ++i) {
    const bool full = two ? i % 2 == 1 : (i + 1) % gemma3_pattern == 0;
    types.emplace_back(full ? "full_attention" : "sliding_attention");
  }
  return types;
}

void read_settings(const GgufArchitecture& family, const GgufMetadata& metadata, Json& config) {
  for (const GgufSetting& setting : family.settings) {
    const std::string key = prefix_of(family) + std::string(setting.gguf), name(setting.hf);
    if (metadata.find(key) == nullptr) {
      if (!setting.required) continue;
      throw input_error("cannot read {}: it has no metadata {}", metadata.where(), key);
    }
    switch (setting.kind) {
      case GgufSetting::integer:
        config[name] = *metadata.integer(key);
        break;
      case GgufSetting::real:
        config[name] = shortest(*metadata.number(key));
        break;
      case GgufSetting::flag:
        config[name] = *metadata.flag(key);
    }
  }
}

// Sizes that divisions and loops below rely on.
void check_sizes(const Json& config, const GgufMetadata& metadata) {
  for (const char* key : {"hidden_size", "num_attention_heads", "num_hidden_layers", "n_embd",
                          "n_head", "n_layer", "num_key_value_heads"}) {
    if (!config.contains(key)) continue;
    const auto size = config[key].get<int64_t>();
    if (size >= 1 && size <= std::numeric_limits<int32_t>::max()) continue;
    throw input_error("cannot read {}: {} should be a positive size, found {}", metadata.where(),
                      key, size);
  }
}

// Layers for multi-token prediction are counted behind the others.
void read_layers(const GgufArchitecture& family, const GgufMetadata& metadata, Json& config) {
  const std::string key = prefix_of(family) + "nextn_predict_layers";
  const int64_t next = metadata.integer(key).value_or(0);
  if (next == 0) return;
  const int64_t layers = config.value("num_hidden_layers", int64_t{0});
  if (next < 0 || next >= layers) {
    throw input_error("cannot read {}: metadata {} should be below {}, found {}", metadata.where(),
                      key, layers, next);
  }
  config["num_hidden_layers"] = layers - next;
}

void read_rotary(const GgufArchitecture& family, const GgufMetadata& metadata,
                 const std::vector<TensorView>& tensors, Json& config) {
  const std::string prefix = prefix_of(family);
  const int64_t plain =
      config.at("hidden_size").get<int64_t>() / config.at("num_attention_heads").get<int64_t>();
  const int64_t head_dim = metadata.integer(prefix + "attention.key_length").value_or(plain);
  config["head_dim"] = head_dim;
  const bool gemma3 = family.name == "gemma3";
  Json rope = rope_of_gguf(metadata, prefix, tensors, gemma3 ? 1e6 : 1e4);
  const auto turned = metadata.integer(prefix + "rope.dimension_count").value_or(head_dim);
  if (turned != head_dim || family.name == "gptneox" ||
      is_qwen3_5(family)) {  // whose default is another
    rope["partial_rotary_factor"] = static_cast<double>(turned) / static_cast<double>(head_dim);
  }
  if (family.name == "gpt-oss" && rope["rope_type"] == "yarn") rope["truncate"] = false;
  if (gemma3) {
    const double local = metadata.number(prefix + "rope.freq_base_swa").value_or(1e4);
    rope = {{"full_attention", rope},
            {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", local}}}};
  }
  config["rope_parameters"] = rope;
}

bool any_bias(const std::vector<TensorView>& tensors, std::string_view name) {
  return std::ranges::any_of(tensors,
                             [&](const TensorView& tensor) { return tensor.name.ends_with(name); });
}

// llama.cpp has one architecture where transformers has three.
void name_llama(const GgufArchitecture& family, Json& config) {
  if (family.name != "llama") return;
  if (config.value("num_local_experts", int64_t{0}) > 0) {
    config["architectures"] = {"MixtralForCausalLM"};
    config["model_type"] = "mixtral";
  } else if (has(config, "sliding_window")) {
    config["architectures"] = {"MistralForCausalLM"};
    config["model_type"] = "mistral";
  }
}

void read_tokens(const GgufMetadata& metadata, Json& config) {
  for (const char* role : {"bos", "eos"}) {
    const auto id = metadata.integer(fmt::format("tokenizer.ggml.{}_token_id", role));
    if (id) config[fmt::format("{}_token_id", role)] = *id;
  }
  // A second end of sequence: of a turn in a conversation.
  const auto turn = metadata.integer("tokenizer.ggml.eot_token_id");
  if (turn && config.contains("eos_token_id") && config["eos_token_id"] != *turn) {
    config["eos_token_id"] = Json::array({config["eos_token_id"], *turn});
  }
}

Json rope_settings(const Json& config) {
  Json rope = Json::object();
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    if (has(config, key) && config[key].is_object()) rope = config[key];
  }
  if (!rope.contains("rope_theta") && has(config, "rope_theta")) {
    rope["rope_theta"] = config["rope_theta"];
  }
  if (!rope.contains("partial_rotary_factor") && has(config, "partial_rotary_factor")) {
    rope["partial_rotary_factor"] = config["partial_rotary_factor"];
  }
  return rope;
}

Error refusal(const std::string& where, const std::string& key, const Json& config,
              const std::string& expected) {
  return input_error("cannot convert {} to GGUF: \"{}\" is {}, but llama.cpp has only {}", where,
                     key, config[key].dump(), expected);
}

void check_constants(const GgufArchitecture& family, const Json& config, const std::string& where) {
  const Json constants = Json::parse(family.constants);
  for (const auto& [key, value] : constants.items()) {
    if (has(config, key) && config[key] != value) throw refusal(where, key, config, value.dump());
  }
}

// What llama.cpp has in its code rather than in the file.
void check_layers(const GgufArchitecture& family, const Json& config, const std::string& where) {
  const auto types = layer_types(family, config.value("num_hidden_layers", int64_t{0}));
  if (!types.empty() && has(config, "layer_types") && config["layer_types"] != Json(types)) {
    throw refusal(where, "layer_types", config, Json(types).dump());
  }
  if (family.name == "smollm3") {
    for (size_t i = 0; has(config, "no_rope_layers") && i < config["no_rope_layers"].size(); ++i) {
      if (config["no_rope_layers"][i] == ((i + 1) % 4 != 0 ? 1 : 0)) continue;
      throw refusal(where, "no_rope_layers", config, "a 0 for every fourth");
    }
  }
}

uint32_t size_of(const Json& config, const std::string& key, const std::string& where) {
  const Json& value = config[key];
  const int64_t size = value.is_number_integer() ? value.get<int64_t>() : 0;
  if (size >= 1 && size <= std::numeric_limits<int32_t>::max()) {
    return static_cast<uint32_t>(size);
  }
  throw input_error("cannot read {}: \"{}\" should be a positive size, found {}", where, key,
                    value.dump());
}

void add_settings(const GgufArchitecture& family, Json& config, const std::string& where,
                  GgufMetadata& metadata) {
  for (const GgufSetting& setting : family.settings) {
    const std::string key(setting.hf);
    if (!has(config, key)) {
      if (setting.otherwise.empty() && !setting.required) continue;
      if (setting.otherwise.empty()) {
        throw input_error("cannot read {}: it has no \"{}\"", where, key);
      }
      config[key] = Json::parse(setting.otherwise);
    }
    const std::string name = prefix_of(family) + std::string(setting.gguf);
    if (setting.kind == GgufSetting::integer) {
      metadata.add(name, size_of(config, key, where));
    } else if (setting.kind == GgufSetting::flag) {
      metadata.add(name, config[key].get<bool>());
    } else {
      if (!config[key].is_number()) {
        throw input_error("cannot read {}: \"{}\" should be a number, found {}", where, key,
                          config[key].dump());
      }
      metadata.add(name, config[key].get<float>());
    }
  }
}

std::vector<float> add_rotary(const GgufArchitecture& family, const Json& config,
                              const std::string& where, GgufMetadata& metadata) {
  const std::string prefix = prefix_of(family);
  const uint32_t heads = size_of(config, "num_attention_heads", where);
  const int64_t head_dim = has(config, "head_dim") ? size_of(config, "head_dim", where)
                                                   : size_of(config, "hidden_size", where) / heads;
  metadata.add(prefix + "attention.key_length", static_cast<uint32_t>(head_dim));
  metadata.add(prefix + "attention.value_length", static_cast<uint32_t>(head_dim));
  Json rope = rope_settings(config);
  if (family.name == "gemma3") {
    Json local = rope.value("sliding_attention", Json::object());
    if (local.value("rope_type", "default") != "default") {
      throw refusal(where, "rope_parameters", config, "unscaled angles in layers with a window");
    }
    const double old = config.value("rope_local_base_freq", 1e4);
    metadata.add(prefix + "rope.freq_base_swa", static_cast<float>(local.value("rope_theta", old)));
    if (rope.contains("full_attention")) rope = Json(rope["full_attention"]);
    if (!rope.contains("rope_theta")) rope["rope_theta"] = 1e6;
  }
  const bool yarn = rope.value("rope_type", rope.value("type", "default")) == "yarn";
  if (family.name == "gpt-oss" && yarn && rope.value("truncate", true)) {
    throw refusal(where, "rope_parameters", config,
                  "bounds that are not rounded (truncate: false)");
  }
  if (family.name == "gpt-oss") rope.erase("truncate");
  if (family.name == "gemma2" || family.name == "gemma3") {
    const int64_t scalar = query_scalar(family, config, head_dim);
    if (has(config, "query_pre_attn_scalar") && config["query_pre_attn_scalar"] != scalar) {
      throw refusal(where, "query_pre_attn_scalar", config, std::to_string(scalar));
    }
  }
  return add_gguf_rope(rope, head_dim, size_of(config, "max_position_embeddings", where), where,
                       prefix, metadata);
}

// The configuration is completed by defaults on the way.
std::vector<float> add_whole_config(const GgufArchitecture& family, Json config,
                                    const std::string& where, GgufMetadata& metadata) {
  if (family.name == "gpt2" && !has(config, "n_inner")) {
    config["n_inner"] = 4 * int64_t{size_of(config, "n_embd", where)};
  }
  if (family.name == "qwen3moe" && !has(config, "num_experts") &&
      has(config, "num_local_experts")) {
    config["num_experts"] = config["num_local_experts"];  // as transformers 5 writes it
  }
  if (family.name == "gptneox") {  // the names before transformers 5
    if (!has(config, "rope_theta")) config["rope_theta"] = config.value("rotary_emb_base", 1e4);
    const double share = config.value("rotary_pct", 0.25);
    if (!has(config, "partial_rotary_factor")) config["partial_rotary_factor"] = share;
  }
  if (family.name == "gemma4" && !config.value("enable_moe_block", false)) {
    for (const char* key : {"num_experts", "top_k_experts", "moe_intermediate_size"}) {
      config.erase(key);  // they say nothing
    }
  }
  if (is_qwen3_5(family)) add_qwen3_5(config, where, prefix_of(family), metadata);
  check_constants(family, config, where);
  add_settings(family, config, where, metadata);
  check_layers(family, config, where);
  metadata.add(prefix_of(family) + "vocab_size", size_of(config, "vocab_size", where));
  if (is_deepseek(family)) {
    add_deepseek(config, rope_settings(config), where, prefix_of(family), metadata);
  }
  if (family.name == "gemma4") return add_gemma4(config, where, metadata);
  return family.rotary ? add_rotary(family, config, where, metadata) : std::vector<float>{};
}

}  // namespace

Json config_of_gguf(const GgufArchitecture& family, const GgufMetadata& metadata,
                    const std::vector<TensorView>& tensors) {
  Json config = {{"architectures", {family.architecture}}, {"model_type", family.model_type}};
  const int64_t vocabulary = vocabulary_of(metadata, tensors);
  read_settings(family, metadata, config);
  check_sizes(config, metadata);
  read_layers(family, metadata, config);
  config.update(Json::parse(family.constants));
  config["vocab_size"] = vocabulary;
  config["tie_word_embeddings"] = tensor_named(tensors, "output.weight") == nullptr;
  if (family.bias_flags) {
    config["attention_bias"] = any_bias(tensors, ".attn_q.bias");
    config["mlp_bias"] = any_bias(tensors, ".ffn_gate.bias");
  }
  if (family.rotary) read_rotary(family, metadata, tensors, config);
  if (is_deepseek(family)) read_deepseek(metadata, prefix_of(family), tensors, config);
  if (family.name == "gemma4") read_gemma4(metadata, tensors, config);
  if (is_qwen3_5(family)) read_qwen3_5(metadata, prefix_of(family), config);
  name_llama(family, config);
  if (family.name == "gemma2" || family.name == "gemma3") {
    config["query_pre_attn_scalar"] = query_scalar(family, config, config["head_dim"]);
  }
  const std::vector<std::string> types =
      layer_types(family, config.value("num_hidden_layers", int64_t{0}));
  if (!types.empty()) config["layer_types"] = types;
  read_tokens(metadata, config);
  config["dtype"] = dtype_name(tensors);
  return config;
}

std::vector<float> add_gguf_config(const GgufArchitecture& family, const Json& config,
                                   const std::string& where, GgufMetadata& metadata) try {
  return add_whole_config(family, config, where, metadata);
} catch (const Json::exception& error) {  // a value of another type than the key has
  throw input_error("cannot read {}: {}", where, error.what());
}

}  // namespace alambic
