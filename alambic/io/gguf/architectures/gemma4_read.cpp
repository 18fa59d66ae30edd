#include "alambic/base/printable.h"
#include "alambic/io/gguf/architectures/gemma4.h"
#include "alambic/io/quant/decode.h"

namespace alambic::gguf {

namespace {

const std::string prefix = "gemma4.";
constexpr int64_t largest = int64_t{1} << 30;  // limit of sizes other than widths of heads
constexpr auto frequencies = gemma4_frequencies;

int64_t size_of(const GgufMetadata& metadata, const std::string& key, int64_t min, int64_t max,
                int64_t otherwise) {
  const int64_t value = metadata.integer(prefix + key).value_or(otherwise);
  if (value >= min && value <= max) return value;
  throw input_error("cannot read {}: metadata {}{} should be a size from {} to {}, found {}",
                    metadata.where(), prefix, key, min, max, value);
}

Gemma4Kinds read_kinds(const GgufMetadata& metadata, int64_t layers) {
  const std::string key = prefix + "attention.sliding_window_pattern";
  const std::vector<double> pattern = metadata.numbers(key);
  if (std::ssize(pattern) != layers) {
    throw input_error(
        "cannot read {}: metadata {} should say of {} layers whether they slide, "
        "found {} entries",
        metadata.where(), key, layers, pattern.size());
  }
  Gemma4Kinds kinds;
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
void read_mlp(const GgufMetadata& metadata, const Gemma4Kinds& kinds, Json& config) {
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
  const int64_t key = size_of(metadata, "attention.key_length" + end, 1, gemma4_widest, 0);
  for (const std::string other : {"attention.value_length", "rope.dimension_count"}) {
    if (size_of(metadata, other + end, 1, gemma4_widest, key) == key) continue;
    throw input_error("cannot read {}: metadata {}{}{} should be that of the keys, {}",
                      metadata.where(), prefix, other, end, key);
  }
  return key;
}

void read_heads(const GgufMetadata& metadata, const std::vector<TensorView>& tensors,
                const Gemma4Kinds& kinds, Json& config) {
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
  const int64_t width = size_of(metadata, "embedding_length_per_layer_input", 0, gemma4_widest, 0);
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
  const auto stands = [](float x) { return x >= gemma4_standstill / 2; };
  if (!std::all_of(found.begin() + pairs, found.end(), stands)) {
    throw input_error("cannot read {}: tensor {} should be 1 and then {:.0e}, found {} at {}",
                      metadata.where(), frequencies, gemma4_standstill, found[pairs], pairs);
  }
  const double exact = 2 * static_cast<double>(pairs) / static_cast<double>(head);
  for (const double share : {gemma4_usual_share, exact}) {
    if (share > 0 && gemma4_turning(head, share) == pairs) return share;
  }
  return (2 * static_cast<double>(pairs) + 0.5) / static_cast<double>(head);
}

void check_unscaled(const GgufMetadata& metadata) {
  const std::string type = metadata.text(prefix + "rope.scaling.type").value_or("linear");
  if (type != "none" && type != "linear") {
    throw input_error(
        "cannot read {}: metadata {}rope.scaling.type is \"{}\", but only none is read",
        metadata.where(), prefix, printable(type));
  }
  for (const std::string key :
       {"rope.scaling.factor", "rope.scale_linear", "rope.scaling.attn_factor"}) {
    const double number = metadata.number(prefix + key).value_or(1);
    if (number == 1 || number == 0 || (type == "none" && !key.ends_with("attn_factor"))) continue;
    throw input_error("cannot read {}: metadata {}{} is {}, but only 1 is read for Gemma 4",
                      metadata.where(), prefix, key, number);
  }
}

}  // namespace

void read_gemma4(const GgufReading& from, Json& config) {
  const GgufMetadata& metadata = from.metadata;
  const std::vector<TensorView>& tensors = from.tensors;
  const Gemma4Kinds kinds = read_kinds(metadata, config.at("num_hidden_layers"));
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
  check_unscaled(metadata);
  const auto theta = [&](const char* key, double otherwise) {
    return metadata.number(prefix + key).value_or(otherwise);
  };
  config["rope_parameters"] = {
      {"full_attention",
       {{"rope_type", "proportional"},
        {"rope_theta", theta("rope.freq_base", 1e4)},
        {"partial_rotary_factor", read_share(metadata, tensors, head_width(metadata, ""))}}},
      {"sliding_attention",
       {{"rope_type", "default"}, {"rope_theta", theta("rope.freq_base_swa", 1e4)}}}};
}

}  // namespace alambic::gguf
