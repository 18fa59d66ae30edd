#include "alambic/io/gguf/gemma4.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/io/quant/decode.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

const std::string prefix = "gemma4.";
constexpr float standstill = 1e30F;            // divides a frequency
constexpr double usual_share = 0.25;           // of a head that turns, in published models
constexpr int64_t max_layers = 512;            // of llama.cpp
constexpr int64_t widest = int64_t{1} << 20;   // of a head
constexpr int64_t largest = int64_t{1} << 30;  // any other size
constexpr const char* frequencies = "rope_freqs.weight";

// What differs between layers with a window and layers without.
struct Kinds {
  std::vector<bool> slides;
  int64_t own_keys = 0;  // layers before those that read the keys of earlier ones

  int64_t count() const { return std::ssize(slides); }
  int64_t first(bool sliding) const {
    return std::ranges::find(slides, sliding) - slides.begin();  // count(): there is none
  }
};

int64_t turning(int64_t head, double share) {
  return static_cast<int64_t>(share * static_cast<double>(head)) / 2;
}

// Reading.

int64_t size_of(const GgufMetadata& metadata, const std::string& key, int64_t min, int64_t max,
                int64_t otherwise) {
  const int64_t value = metadata.integer(prefix + key).value_or(otherwise);
  if (value >= min && value <= max) return value;
  throw input_error("cannot read {}: metadata {}{} should be a size from {} to {}, found {}",
                    metadata.where(), prefix, key, min, max, value);
}

Kinds read_kinds(const GgufMetadata& metadata, int64_t layers) {
  const std::string key = prefix + "attention.sliding_window_pattern";
  const std::vector<double> pattern = metadata.numbers(key);
  if (std::ssize(pattern) != layers) {
    throw input_error(
        "cannot read {}: metadata {} should say of {} layers whether they slide, "
        "found {} entries",
        metadata.where(), key, layers, pattern.size());
  }
  Kinds kinds;
  for (const double slides : pattern) kinds.slides.push_back(slides != 0);
  kinds.own_keys = layers - size_of(metadata, "attention.shared_kv_layers", 0, layers - 1, 0);
  return kinds;
}

// One number for every layer, or a list of them.
std::vector<int64_t> of_layers(const GgufMetadata& metadata, const std::string& key,
                               int64_t layers) {
  const GgufValue* value = metadata.find(prefix + key);
  if (value == nullptr) {
    throw input_error("cannot read {}: it has no metadata {}{}", metadata.where(), prefix, key);
  }
  if (!std::holds_alternative<GgufArray>(*value)) {
    return std::vector(static_cast<size_t>(layers), size_of(metadata, key, 1, largest, 0));
  }
  const std::vector<double> list = metadata.numbers(prefix + key);
  const auto fits = [](double x) { return x >= 1 && x <= static_cast<double>(largest); };
  if (std::ssize(list) != layers || !std::ranges::all_of(list, fits)) {
    throw input_error(
        "cannot read {}: metadata {}{} should have a size for each of {} layers, "
        "found {} entries",
        metadata.where(), prefix, key, layers, list.size());
  }
  return {list.begin(), list.end()};
}

// The layers that read earlier keys may have an MLP of twice the width.
void read_mlp(const GgufMetadata& metadata, const Kinds& kinds, Json& config) {
  const auto inner = of_layers(metadata, "feed_forward_length", kinds.count());
  const bool twice = inner.back() != inner.front();
  for (int64_t i = 0; i < kinds.count(); ++i) {
    const int64_t expected = inner[0] * (twice && i >= kinds.own_keys ? 2 : 1);
    if (inner[i] == expected) continue;
    throw input_error(
        "cannot read {}: metadata {}feed_forward_length is {} in layer {}, expected "
        "{}",
        metadata.where(), prefix, inner[i], i, expected);
  }
  config["intermediate_size"] = inner[0];
  config["use_double_wide_mlp"] = twice;
}

int64_t head_width(const GgufMetadata& metadata, const std::string& end) {
  const int64_t key = size_of(metadata, "attention.key_length" + end, 1, widest, 0);
  for (const std::string other : {"attention.value_length", "rope.dimension_count"}) {
    if (size_of(metadata, other + end, 1, widest, key) == key) continue;
    throw input_error("cannot read {}: metadata {}{}{} should be that of the keys, {}",
                      metadata.where(), prefix, other, end, key);
  }
  return key;
}

void read_heads(const GgufMetadata& metadata, const std::vector<TensorView>& tensors,
                const Kinds& kinds, Json& config) {
  const auto keys = of_layers(metadata, "attention.head_count_kv", kinds.count());
  const int64_t narrow = head_width(metadata, "_swa"), wide = head_width(metadata, "");
  const int64_t usual = keys[kinds.first(true) % kinds.count()];
  Json own = Json::object();
  bool keys_are_values = false;
  for (int64_t i = 0; i < kinds.count(); ++i) {
    const int64_t expected = keys[kinds.first(kinds.slides[i])];
    if (keys[i] != expected) {
      throw input_error(
          "cannot read {}: metadata {}attention.head_count_kv is {} in layer {}, but "
          "{} in another of its type",
          metadata.where(), prefix, keys[i], i, expected);
    }
    if (kinds.slides[i]) continue;
    Json& layer = own[std::to_string(i)] = {{"head_dim", wide}};
    if (keys[i] != usual) layer["num_key_value_heads"] = keys[i];
    keys_are_values |= i < kinds.own_keys &&
                       tensor_named(tensors, fmt::format("blk.{}.attn_v.weight", i)) == nullptr;
  }
  config["head_dim"] = narrow;
  config["num_key_value_heads"] = usual;
  config["per_layer_config"] = own;
  config["attention_k_eq_v"] = keys_are_values;
}

void read_per_layer_inputs(const GgufMetadata& metadata, const std::vector<TensorView>& tensors,
                           Json& config) {
  const int64_t width = size_of(metadata, "embedding_length_per_layer_input", 0, widest, 0);
  config["hidden_size_per_layer_input"] = width;
  if (width == 0) return;
  const std::string name = "per_layer_token_embd.weight";
  const TensorView* embedding = tensor_named(tensors, name);
  if (embedding == nullptr || embedding->shape.size() != 2) {
    throw input_error(
        "cannot read {}: it has no tensor {} of two dimensions, but {}embedding_"
        "length_per_layer_input is {}",
        metadata.where(), name, prefix, width);
  }
  config["vocab_size_per_layer_input"] = embedding->shape[0];
}

// The share of a head that turns, of which the tensor tells only the whole pairs.
double read_share(const GgufMetadata& metadata, const std::vector<TensorView>& tensors,
                  int64_t head) {
  const TensorView* tensor = tensor_named(tensors, frequencies);
  if (tensor == nullptr || !is_decodable(tensor->dtype) || count_of(tensor->shape) != head / 2) {
    throw input_error("cannot read {}: it should have a tensor {} of {} floating numbers",
                      metadata.where(), frequencies, head / 2);
  }
  std::vector<float> found(static_cast<size_t>(head / 2));
  decode(tensor->dtype, tensor->bytes, found);
  const int64_t pairs = std::ranges::find_if(found, [](float x) { return x != 1; }) - found.begin();
  const auto stands = [](float x) { return x >= standstill / 2; };
  if (!std::all_of(found.begin() + pairs, found.end(), stands)) {
    throw input_error("cannot read {}: tensor {} should be 1 and then {:.0e}, found {} at {}",
                      metadata.where(), frequencies, standstill, found[pairs], pairs);
  }
  const double exact = 2 * static_cast<double>(pairs) / static_cast<double>(head);
  for (const double share : {usual_share, exact}) {
    if (share > 0 && turning(head, share) == pairs) return share;
  }
  return (2 * static_cast<double>(pairs) + 0.5) / static_cast<double>(head);
}

// Writing.

int64_t size_of(const Json& config, const char* key, int64_t min, int64_t otherwise,
                const std::string& where) {
  const Json value = config.value(key, Json());
  if (value.is_null()) return otherwise;
  if (value.is_number_integer() && value >= min && value <= largest) return value;
  throw input_error("cannot read {}: \"{}\" should be a size from {}, found {}", where, key, min,
                    value.dump());
}

Error refusal(const std::string& where, const std::string& key, const Json& value,
              const std::string& expected) {
  return input_error("cannot convert {} to GGUF: \"{}\" is {}, but llama.cpp has only {}", where,
                     key, value.dump(), expected);
}

Kinds kinds_of(const Json& config, const std::string& where) {
  const int64_t layers = size_of(config, "num_hidden_layers", 1, 0, where);
  if (layers < 1 || layers > max_layers) {
    throw refusal(where, "num_hidden_layers", layers, fmt::format("1 to {}", max_layers));
  }
  Kinds kinds;
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

// Of layer `i`: "per_layer_config" of transformers 5.2x, or the authors' own spelling.
int64_t of_layer(const Json& config, const Kinds& kinds, int64_t i, const char* key, int64_t usual,
                 const std::string& where) {
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

// What `of_layer` gives for the layers of one type, which must be alike.
int64_t of_kind(const Json& config, const Kinds& kinds, bool slides, const char* key, int64_t usual,
                const std::string& where) {
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

void add_layers(const Json& config, const Kinds& kinds, const std::string& where,
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

std::vector<float> add_ropes(const Json& config, const Kinds& kinds, const std::string& where,
                             GgufMetadata& metadata) {
  const Json local = rope_of(config, "sliding_attention", {{"rope_type", "default"}}, where);
  const Json whole =
      rope_of(config, "full_attention",
              {{"rope_type", "proportional"}, {"partial_rotary_factor", usual_share}}, where);
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
  if (!(share > 0 && share <= 1) || wide > widest) {
    throw refusal(where, "rope_parameters", whole, "a partial_rotary_factor in (0, 1]");
  }
  std::vector<float> factors(static_cast<size_t>(wide / 2), standstill);
  std::fill_n(factors.begin(), turning(wide, share), 1.0F);
  return factors;
}

}  // namespace

void read_gemma4(const GgufMetadata& metadata, const std::vector<TensorView>& tensors,
                 Json& config) {
  const Kinds kinds = read_kinds(metadata, config.at("num_hidden_layers"));
  read_mlp(metadata, kinds, config);
  read_heads(metadata, tensors, kinds, config);
  read_per_layer_inputs(metadata, tensors, config);
  config["num_kv_shared_layers"] = kinds.count() - kinds.own_keys;
  if (config.value("final_logit_softcapping", 0.0) == 0) config.erase("final_logit_softcapping");
  config["enable_moe_block"] = config.value("num_experts", int64_t{0}) > 0;
  std::vector<std::string> types;
  for (const bool slides : kinds.slides) {
    types.emplace_back(slides ? "sliding_attention" : "full_attention");
  }
  config["layer_types"] = types;
  const std::string scaling = metadata.text(prefix + "rope.scaling.type").value_or("none");
  if (scaling != "none") {
    throw input_error("cannot read {}: {}rope.scaling.type is \"{}\", but only none is read",
                      metadata.where(), prefix, scaling);
  }
  const auto theta = [&](const char* key, double otherwise) {
    return metadata.number(prefix + key).value_or(otherwise);
  };
  config["rope_parameters"] = {
      {"full_attention",
       {{"rope_type", "proportional"},
        {"rope_theta", theta("rope.freq_base", 1e6)},
        {"partial_rotary_factor", read_share(metadata, tensors, head_width(metadata, ""))}}},
      {"sliding_attention",
       {{"rope_type", "default"}, {"rope_theta", theta("rope.freq_base_swa", 1e4)}}}};
}

std::vector<float> add_gemma4(const Json& config, const std::string& where,
                              GgufMetadata& metadata) {
  const Json images = config.value("use_bidirectional_attention", Json());
  if (!images.is_null() && images != "vision") {
    throw refusal(where, "use_bidirectional_attention", images, "null or \"vision\"");
  }
  const Kinds kinds = kinds_of(config, where);
  add_layers(config, kinds, where, metadata);
  add_per_layer_inputs(config, where, metadata);
  return add_ropes(config, kinds, where, metadata);
}

}  // namespace alambic
