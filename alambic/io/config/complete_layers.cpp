#include "alambic/io/config/complete_layers.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include "alambic/base/error.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

const std::string full = "full_attention", sliding = "sliding_attention",
                  linear = "linear_attention", indexed = "indexed_attention";

// A configuration on its way.
struct Layers {
  const FamilyKeys& family;
  JsonFields fields;
  Json& config;
  ConfigNotes& notes;
  int64_t count = 0;

  bool is(std::string_view type) const { return family.model_type == type; }
  bool reads(const char* key) const { return family.reads(key); }
  int64_t positive(const char* key) const {
    const int64_t value = fields.integer(key);
    fields.expect(value >= 1, key, "a positive size below 2^31");
    return value;
  }
  bool is_null(const char* key) const { return !fields.has(key); }

  Json list(const std::function<Json(int64_t)>& entry) const {
    Json all = Json::array();
    for (int64_t i = 0; i < count; ++i) all.push_back(entry(i));
    return all;
  }
  void check_length(const char* key, bool longer_is_right = false) const {
    const auto found = static_cast<int64_t>(fields.value(key).size());
    fields.expect(found == count || (longer_is_right && found > count), key,
                  fmt::format("a list with an entry for each of the {} layers", count));
  }
  // Windows in all layers but the last of every so many.
  Json windows_but_every(int64_t period) const {
    return list([=](int64_t i) { return (i + 1) % period != 0 ? sliding : full; });
  }
};

// Layers behind the last that predict further tokens, under one name for all.
void complete_predictors(const Layers& at) {
  if (!at.is("deepseek_v3")) return;
  at.config["num_nextn_predict_layers"] = at.fields.integer("num_mtp_layers", 0);
  at.config.erase("num_mtp_layers");
}

void complete_heads(const Layers& at) {
  Json& config = at.config;
  if (!at.reads("num_attention_heads")) return;
  const int64_t width = at.positive("hidden_size"), heads = at.positive("num_attention_heads");
  if (at.reads("num_key_value_heads") && at.is_null("num_key_value_heads")) {
    config["num_key_value_heads"] = heads;
  }
  if (at.reads("qk_rope_head_dim") && !at.is("deepseek_v4")) {
    // The width that turns; a class that does not declare the key would take what stands there.
    const int64_t turning = at.positive("qk_rope_head_dim");
    const int64_t given = at.fields.integer("head_dim", turning);
    if (at.is("deepseek_v3") && given != turning) {
      throw input_error("cannot read {}: \"head_dim\" is {}, but \"qk_rope_head_dim\" is {}",
                        at.fields.where, given, turning)
          .with_hint("transformers turns heads of this width: leave head_dim out");
    }
    config["head_dim"] = turning;
  } else if (at.reads("head_dim") && at.is_null("head_dim")) {
    at.fields.expect(width >= heads, "num_attention_heads", "at most hidden_size");
    config["head_dim"] = width / heads;
  }
  if (at.is("gpt_neox")) {
    at.fields.expect(at.fields.integer("head_dim") == width / heads, "head_dim",
                     "hidden_size / num_attention_heads");
  }
}

// Names before transformers 5.2x.
void rename_old_types(Json& types) {
  for (Json& type : types) {
    if (type == "attention") type = full;
    if (type == "mamba") type = linear;
    if (type == "deepseek_sparse_attention") type = indexed;
  }
}

Json usual_layer_types(const Layers& at) {
  if (at.is("gemma2") || at.is("gpt_oss")) return at.windows_but_every(2);
  if (at.is("gemma3_text")) return at.windows_but_every(at.positive("sliding_window_pattern"));
  if (at.is("gemma4_text")) return at.windows_but_every(6);
  if (at.reads("full_attention_interval")) {
    const int64_t interval = at.positive("full_attention_interval");
    return at.list([=](int64_t i) { return (i + 1) % interval != 0 ? linear : full; });
  }
  if (at.is("deepseek_v32")) return at.list([](int64_t) { return indexed; });
  if (at.is("smollm3")) {
    const bool slides = at.fields.flag("use_sliding_window") && !at.is_null("sliding_window");
    const Json& turns = at.config["no_rope_layers"];
    return at.list([&](int64_t i) { return slides && turns[i] == 0 ? sliding : full; });
  }
  const int64_t first = at.fields.integer("max_window_layers");
  const bool slides = !at.is_null("sliding_window");
  return at.list([=](int64_t i) { return slides && i >= first ? sliding : full; });
}

void complete_types(const Layers& at) {
  if (!at.reads("layer_types")) return;
  const bool given = !at.is_null("layer_types");
  Json& types = at.config["layer_types"];
  if (!given) types = usual_layer_types(at);
  at.check_length("layer_types");
  rename_old_types(types);
  if (at.is("gemma4_text") && types.back() == sliding) {  // the last layer sees everything
    if (given) {
      at.notes.push_back(fmt::format(
          "{}: the last of \"layer_types\" is read as \"full_attention\", as in transformers",
          at.fields.where));
    }
    types.back() = full;
  }
  const bool slides = std::ranges::any_of(types, [](const Json& type) { return type == sliding; });
  const std::string use = at.reads("use_sliding_window") ? ", and use_sliding_window true" : "";
  at.fields.expect(!slides || !at.is_null("sliding_window"), "sliding_window",
                   "a number of positions, for \"layer_types\" has \"sliding_attention\"" + use);
}

// transformers pads the numbers of layers with zeros; null is no differences, and not those of
// "global_head_dim".
void complete_per_layer_config(const Layers& at) {
  if (!at.is("gemma4_text") || !at.config.contains("per_layer_config")) return;
  if (at.is_null("per_layer_config")) at.config["per_layer_config"] = Json::object();
  const std::string expected =
      fmt::format("an object of objects, by the number of a layer from 0 to {}", at.count - 1);
  Json layers = Json::object();
  at.fields.expect(at.fields.value("per_layer_config").is_object(), "per_layer_config", expected);
  for (const auto& [key, own] : at.fields.value("per_layer_config").items()) {
    int64_t layer = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), layer);
    const bool number = error == std::errc() && end == key.data() + key.size();
    at.fields.expect(number && layer >= 0 && layer < at.count && own.is_object(),
                     "per_layer_config", expected);
    layers[std::to_string(layer)] = own;
  }
  at.config["per_layer_config"] = std::move(layers);
}

void complete_no_rope_layers(const Layers& at) {
  if (!at.reads("no_rope_layers")) return;
  if (at.is_null("no_rope_layers")) {
    const int64_t interval = at.positive("no_rope_layer_interval");
    at.config["no_rope_layers"] =
        at.list([=](int64_t i) { return int64_t{(i + 1) % interval != 0}; });
  }
  at.check_length("no_rope_layers", /*longer_is_right=*/true);
}

// Layers with experts: DeepSeek's come after some dense ones.
void complete_mlp_types(const Layers& at) {
  if (!at.is("deepseek_v32")) return;
  const int64_t dense = at.fields.integer("first_k_dense_replace");
  if (at.is_null("mlp_layer_types")) {
    at.config["mlp_layer_types"] =
        at.list([=](int64_t i) { return i < dense ? "dense" : "sparse"; });
  }
  at.check_length("mlp_layer_types");
}

// Lists may count the layers for multi-token prediction too.
void cut(Json& list, int64_t count) {
  while (static_cast<int64_t>(list.size()) > count) list.erase(list.size() - 1);
}

void complete_deepseek_v4(const Layers& at) {
  const std::string window = sliding, few = "compressed_sparse_attention",
                    all = "heavily_compressed_attention";
  Json& config = at.config;
  if (at.is_null("layer_types") && !at.is_null("compress_ratios")) {
    Json types = Json::array();
    for (const int64_t ratio : at.fields.integers("compress_ratios")) {
      at.fields.expect(ratio == 0 || ratio == 4 || ratio == 128, "compress_ratios",
                       "a list of 0, 4 and 128");
      types.push_back(ratio == 0 ? window : ratio == 4 ? few : all);
    }
    config["layer_types"] = types;
  }
  if (at.is_null("layer_types")) {
    config["layer_types"] = at.list([&](int64_t i) { return i < 2 || i % 2 == 0 ? all : few; });
  }
  if (at.is_null("mlp_layer_types")) {
    const int64_t hashed = at.fields.integer("num_hash_layers", 3);
    config["mlp_layer_types"] = at.list([=](int64_t i) { return i < hashed ? "hash_moe" : "moe"; });
  }
  for (const char* key : {"layer_types", "mlp_layer_types"}) {
    cut(config[key], at.count);
    at.check_length(key);
  }
  if (at.is_null("compress_rates")) config["compress_rates"] = {{few, 4}, {all, 128}};
  for (const auto& [old, type] :
       {std::pair("compress_rate_csa", few), {"compress_rate_hca", all}}) {
    if (!at.is_null(old)) config["compress_rates"][type] = config[old];
  }
  for (const char* old :
       {"compress_ratios", "compress_rate_csa", "compress_rate_hca", "num_hash_layers"}) {
    config.erase(old);
  }
  // The share of a head that turns.
  if (at.is_null("partial_rotary_factor")) {
    config["partial_rotary_factor"] = at.is_null("qk_rope_head_dim")
                                          ? 64.0 / 512
                                          : static_cast<double>(at.positive("qk_rope_head_dim")) /
                                                static_cast<double>(at.positive("head_dim"));
  }
  config.erase("qk_rope_head_dim");
}

}  // namespace

void complete_layers(const FamilyKeys& family, const std::string& where, Json& config,
                     ConfigNotes& notes) {
  const bool gpt2 = family.reads("n_layer");
  Layers at{.family = family, .fields = {config, where}, .config = config, .notes = notes};
  at.count = at.positive(gpt2 ? "n_layer" : "num_hidden_layers");
  complete_heads(at);
  if (gpt2 && at.is_null("n_inner")) config["n_inner"] = 4 * at.positive("n_embd");
  if (at.reads("use_sliding_window") && !at.is("smollm3") &&
      !at.fields.flag("use_sliding_window")) {
    config["sliding_window"] = nullptr;  // it is in most files, and means nothing
  }
  complete_no_rope_layers(at);
  complete_predictors(at);
  if (at.is("deepseek_v4")) return complete_deepseek_v4(at);
  complete_types(at);
  if (at.reads("mlp_only_layers") && at.is_null("mlp_only_layers")) {
    config["mlp_only_layers"] = Json::array();
  }
  complete_mlp_types(at);
  complete_per_layer_config(at);
}

}  // namespace alambic
