#include "alambic/io/gguf/architectures/gemma4.h"

namespace alambic::gguf {

namespace {

const std::string prefix = "gemma4.";
constexpr int64_t max_layers = 512;            // a limit of llama.cpp
constexpr int64_t largest = int64_t{1} << 30;  // limit of any size

int64_t size_of(const Json& config, const char* key, int64_t min, int64_t otherwise,
                const std::string& where) {
  const Json value = config.value(key, Json());
  if (value.is_null()) return otherwise;
  if (value.is_number_integer() && value >= min && value <= largest) return value;
  throw input_error("cannot read {}: \"{}\" should be a size from {}, found {}", where, key, min,
                    value.dump());
}

Gemma4Kinds kinds_of(const Json& config, const std::string& where) {
  const int64_t layers = size_of(config, "num_hidden_layers", 1, 0, where);
  if (layers < 1 || layers > max_layers) {
    throw refusal(where, "num_hidden_layers", layers, fmt::format("1 to {}", max_layers));
  }
  Gemma4Kinds kinds;
  const Json types = config.value("layer_types", Json());
  if (!types.is_null() && (!types.is_array() || std::ssize(types) != layers)) {
    throw input_error("cannot read {}: \"layer_types\" should have a type for each of {} layers",
                      where, layers);
  }
  for (int64_t i = 0; i < layers; ++i) {
    kinds.slides.push_back(types.is_null() ? (i + 1) % 6 != 0 && i + 1 < layers
                                           : types[i] == "sliding_attention");
    if (kinds.slides[i] || types.is_null() || types[i] == "full_attention") continue;
    throw refusal(where, "layer_types", types[i], "\"sliding_attention\" and \"full_attention\"");
  }
  const int64_t readers = size_of(config, "num_kv_shared_layers", 0, 0, where);
  if (readers >= layers) {
    throw refusal(where, "num_kv_shared_layers", readers, "fewer than all layers");
  }
  kinds.own_keys = layers - readers;
  return kinds;
}

// Setting of layer `i`, from "per_layer_config" of transformers 5.2x or the authors' own spelling.
int64_t of_layer(const Json& config, const Gemma4Kinds& kinds, int64_t i, const char* key,
                 int64_t usual, const std::string& where) {
  if (const Json all = config.value("per_layer_config", Json()); !all.is_null()) {
    const Json own = all.is_object() ? all.value(std::to_string(i), Json::object()) : Json();
    if (own.is_object()) return size_of(own, key, 1, usual, where + ", per_layer_config");
    throw input_error("cannot read {}: \"per_layer_config\" should be an object of objects", where);
  }
  if (kinds.slides[i]) return usual;
  if (std::string_view(key) == "head_dim") return size_of(config, "global_head_dim", 1, 512, where);
  if (!config.value("attention_k_eq_v", false)) return usual;
  return size_of(config, "num_global_key_value_heads", 1, usual, where);
}

// Setting of the layers of one type, by `of_layer`; they must be alike.
int64_t of_kind(const Json& config, const Gemma4Kinds& kinds, bool slides, const char* key,
                int64_t usual, const std::string& where) {
  const int64_t first = kinds.first(slides);
  if (first == kinds.count()) return usual;
  const int64_t expected = of_layer(config, kinds, first, key, usual, where);
  for (int64_t i = first; i < kinds.count(); ++i) {
    if (kinds.slides[i] != slides || of_layer(config, kinds, i, key, usual, where) == expected) {
      continue;
    }
    throw refusal(where, "per_layer_config", config["per_layer_config"],
                  fmt::format("one {} for the layers of a type", key));
  }
  return expected;
}

void add_layers(const Json& config, const Gemma4Kinds& kinds, const std::string& where,
                GgufMetadata& metadata) {
  const int64_t inner = size_of(config, "intermediate_size", 1, 0, where);
  const int64_t heads = size_of(config, "num_attention_heads", 1, 1, where);
  const int64_t usual = size_of(config, "num_key_value_heads", 1, heads, where);
  if (inner == 0) throw input_error("cannot read {}: it has no \"intermediate_size\"", where);
  const bool double_wide = config.value("use_double_wide_mlp", false);
  const int64_t narrow = of_kind(config, kinds, true, "num_key_value_heads", usual, where);
  const int64_t wide = of_kind(config, kinds, false, "num_key_value_heads", usual, where);
  std::vector<uint32_t> inners, keys;
  for (int64_t i = 0; i < kinds.count(); ++i) {
    const bool twice = double_wide && i >= kinds.own_keys;
    inners.push_back(static_cast<uint32_t>(twice ? 2 * inner : inner));
    keys.push_back(static_cast<uint32_t>(kinds.slides[i] ? narrow : wide));
  }
  metadata.add(prefix + "feed_forward_length", GgufArray(std::move(inners)));
  metadata.add(prefix + "attention.head_count_kv", GgufArray(std::move(keys)));
  metadata.add(prefix + "attention.sliding_window_pattern", GgufArray(kinds.slides));
  metadata.add(prefix + "attention.shared_kv_layers",
               static_cast<uint32_t>(kinds.count() - kinds.own_keys));
}

void add_per_layer_inputs(const Json& config, const std::string& where, GgufMetadata& metadata) {
  const int64_t width = size_of(config, "hidden_size_per_layer_input", 0, 256, where);
  metadata.add(prefix + "embedding_length_per_layer_input", static_cast<uint32_t>(width));
  const int64_t rows = size_of(config, "vocab_size_per_layer_input", 1, 262144, where);
  if (width > 0 && rows != config.value("vocab_size", Json())) {
    throw refusal(where, "vocab_size_per_layer_input", rows, "that of vocab_size");
  }
}

// Settings of one type of layers.
Json rope_of(const Json& config, const char* kind, const Json& otherwise,
             const std::string& where) {
  const Json all = config.value("rope_parameters", Json::object());
  Json rope = all.is_object() && all.contains(kind) ? all[kind] : otherwise;
  if (!rope.is_object()) {
    throw input_error("cannot read {}: rope_parameters, \"{}\" should be an object", where, kind);
  }
  return rope;
}

GgufFrequencies add_ropes(const Json& config, const Gemma4Kinds& kinds, const std::string& where,
                          GgufMetadata& metadata) {
  const Json local = rope_of(config, "sliding_attention", {{"rope_type", "default"}}, where);
  const Json whole = rope_of(
      config, "full_attention",
      {{"rope_type", "proportional"}, {"partial_rotary_factor", gemma4_usual_share}}, where);
  if (local.value("rope_type", "default") != "default" ||
      local.value("partial_rotary_factor", 1.0) != 1) {
    throw refusal(where, "rope_parameters", local, "whole, unscaled turns in layers with a window");
  }
  if (whole.value("rope_type", "default") != "proportional" || whole.value("factor", 1.0) != 1) {
    throw refusal(where, "rope_parameters", whole,
                  "the rope_type \"proportional\" in layers without a window");
  }
  const int64_t usual = size_of(config, "head_dim", 1, 256, where);
  const int64_t narrow = of_kind(config, kinds, true, "head_dim", usual, where);
  const int64_t wide = of_kind(config, kinds, false, "head_dim", usual, where);
  for (const auto& [end, width] : {std::pair("", wide), std::pair("_swa", narrow)}) {
    for (const char* key :
         {"attention.key_length", "attention.value_length", "rope.dimension_count"}) {
      metadata.add(prefix + key + end, static_cast<uint32_t>(width));
    }
  }
  metadata.add(prefix + "rope.freq_base", static_cast<float>(whole.value("rope_theta", 1e6)));
  metadata.add(prefix + "rope.freq_base_swa", static_cast<float>(local.value("rope_theta", 1e4)));
  const double share = whole.value("partial_rotary_factor", 1.0);
  if (!(share > 0 && share <= 1) || wide > gemma4_widest) {
    throw refusal(where, "rope_parameters", whole, "a partial_rotary_factor in (0, 1]");
  }
  std::vector<float> factors(static_cast<size_t>(wide / 2), gemma4_standstill);
  std::fill_n(factors.begin(), gemma4_turning(wide, share), 1.0F);
  return {{gemma4_frequencies, std::move(factors)}};
}

}  // namespace

// Keys are values in layers without a window: these have no projection of their own.
bool is_switched_off_gemma4(const Json& config, const std::string& name, const std::string& where) {
  if (!name.ends_with(".self_attn.v_proj.weight") || !config.value("attention_k_eq_v", false)) {
    return false;
  }
  const Gemma4Kinds kinds = kinds_of(config, where);
  for (int64_t i = 0; i < kinds.count(); ++i) {
    if (!kinds.slides[i] && name == fmt::format("model.layers.{}.self_attn.v_proj.weight", i)) {
      return true;
    }
  }
  return false;
}

GgufFrequencies add_gemma4(const GgufWriting& to, const Json& config, Json&) {
  const std::string& where = to.where;
  GgufMetadata& metadata = to.metadata;
  for (const char* key :
       {"intermediate_size", "num_key_value_heads", "head_dim", "hidden_size_per_layer_input"}) {
    check_count(to.limits, CountKind::size, size_of(config, key, 0, 0, where),
                fmt::format("\"{}\"", key), where);
  }
  const Json images = config.value("use_bidirectional_attention", Json());
  if (!images.is_null() && images != "vision") {
    throw refusal(where, "use_bidirectional_attention", images, "null or \"vision\"");
  }
  const Gemma4Kinds kinds = kinds_of(config, where);
  add_layers(config, kinds, where, metadata);
  add_per_layer_inputs(config, where, metadata);
  return add_ropes(config, kinds, where, metadata);
}

}  // namespace alambic::gguf
