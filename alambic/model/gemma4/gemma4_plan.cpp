#include "alambic/model/gemma4/gemma4_plan.h"

#include <algorithm>
#include <charconv>

namespace alambic {
namespace {

using Kind = Gemma4Plan::Kind;

// The entry of "per_layer_config" for layer `i`, with which transformers 5.2x says how it differs;
// null: there is none.
Json settings_of(const Config& config, int64_t i, int64_t layers) {
  const Json& all = config.json["per_layer_config"];
  const std::string expected =
      "an object of layers' numbers, each with head_dim and num_key_value_heads or one of them,";
  config.require(all.is_object(), "per_layer_config", expected);
  Json found;
  for (const auto& [key, own] : all.items()) {
    int64_t layer = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), layer);
    config.require(error == std::errc() && end == key.data() + key.size() && layer >= 0 &&
                       layer < layers && own.is_object(),
                   "per_layer_config", expected);
    for (const auto& [name, value] : own.items()) {
      config.require(name == "head_dim" || name == "num_key_value_heads", "per_layer_config",
                     expected);
    }
    if (layer == i) found = own;
  }
  return found;
}

AttentionShape attention_shape(const Config& config, const DecoderShape& usual, int64_t i,
                               Kind kind) {
  AttentionShape shape = usual.attention;
  if (config.has("per_layer_config")) {
    const Json own = settings_of(config, i, usual.layers);
    const Config settings = config.within(own, "per_layer_config");
    shape.head_width = settings.size("head_dim", shape.head_width);
    shape.kv_heads = settings.size("num_key_value_heads", shape.kv_heads);
  } else if (kind == Gemma4Plan::whole) {  // the authors' spelling
    shape.head_width = config.size("global_head_dim");
    if (config.flag("attention_k_eq_v")) {
      shape.kv_heads = config.size("num_global_key_value_heads", shape.kv_heads);
    }
  }
  config.require(shape.head_width % 2 == 0, "head_dim", "an even width");
  config.require(shape.heads % shape.kv_heads == 0, "num_key_value_heads",
                 "a divisor of the heads");
  return shape;
}

DecoderShape decoder_shape(const Config& config) {
  DecoderShape shape(config);
  shape.mlp.gate = Gate::gelu_tanh;
  config.require(config.text("hidden_activation") == "gelu_pytorch_tanh", "hidden_activation",
                 "\"gelu_pytorch_tanh\"");
  // "vision": only of images' tokens.
  config.require(config.text("use_bidirectional_attention", "vision") == "vision",
                 "use_bidirectional_attention", "null or \"vision\"");
  return shape;
}

}  // namespace

Gemma4Plan::Gemma4Plan(const Config& config) : shape(decoder_shape(config)) {
  const int64_t readers = config.integer("num_kv_shared_layers");
  config.require(readers >= 0 && readers < shape.layers, "num_kv_shared_layers",
                 "a number below that of the layers");
  own_keys = shape.layers - readers;
  per_layer_width = config.integer("hidden_size_per_layer_input");
  config.require(per_layer_width >= 0, "hidden_size_per_layer_input", "a width, or 0");
  if (per_layer_width > 0) {
    per_layer_width = config.size("hidden_size_per_layer_input");
    per_layer_vocabulary = config.size("vocab_size_per_layer_input");
    config.require(per_layer_vocabulary >= config.size("vocab_size"), "vocab_size_per_layer_input",
                   "at least vocab_size");
  }
  if (config.flag("enable_moe_block")) {
    for (const char* key : {"num_experts", "top_k_experts", "moe_intermediate_size"}) {
      config.expect(config.has(key), key, "an integer where enable_moe_block is true");
    }
    router = {.experts = config.experts("num_experts"),
              .top_k = config.size("top_k_experts"),
              .norm_topk_prob = true};
    config.require(router->top_k <= router->experts, "top_k_experts", "at most all experts");
    expert = {.width = shape.attention.width, .inner = config.size("moe_intermediate_size")};
  }
  const std::vector<bool> slides = config.sliding();
  config.require(!slides.back(), "layer_types", "a list that ends with \"full_attention\"");
  const bool keys_are_values = config.flag("attention_k_eq_v");
  const bool double_wide = config.flag("use_double_wide_mlp");
  for (int64_t i = 0; i < shape.layers; ++i) {
    const Kind kind = slides[i] ? sliding : whole;
    const bool reads = i >= own_keys;
    Layer layer = {.kind = kind,
                   .source = kind == whole && keys_are_values ? KvSource::keys : KvSource::own,
                   .attention = attention_shape(config, shape, i, kind),
                   .window = kind == sliding ? config.length("sliding_window") : 0,
                   .mlp = shape.mlp};
    const auto first = std::ranges::find(layers, kind, &Layer::kind);
    config.require(
        first == layers.end() || (layer.attention.head_width == first->attention.head_width &&
                                  layer.attention.kv_heads == first->attention.kv_heads),
        "per_layer_config", "an object that makes layers of one of \"layer_types\" alike");
    config.require(!reads || first != layers.end(), "num_kv_shared_layers",
                   "a number that leaves layers of every type with keys of their own");
    if (reads) layer.source = KvSource::earlier;
    if (reads && double_wide) layer.mlp.inner *= 2;
    layers.push_back(layer);
  }
}

std::array<RopeSettings, 2> Gemma4Plan::ropes(const Config& config) const {
  return {config.rope("full_attention"), config.rope("sliding_attention")};
}

int64_t Gemma4Plan::head_width(Kind kind) const {
  const auto first = std::ranges::find(layers, kind, &Layer::kind);
  return first == layers.end() ? shape.attention.head_width : first->attention.head_width;
}

}  // namespace alambic
