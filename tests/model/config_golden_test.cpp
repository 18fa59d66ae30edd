// Every key of every family, left out, null, of other types and in other spellings, and every
// spelling of RoPE: what transformers makes of it (tools/goldens/configs.py), or a sentence that
// names the key.
#include <algorithm>
#include <cmath>
#include <set>

#include "alambic/base/files.h"
#include "alambic/base/json_object.h"
#include "alambic/io/config/complete_config.h"
#include "alambic/io/config/family_keys.h"
#include "alambic/model/config.h"
#include "alambic/model/families.h"
#include "alambic/nn/rope.h"
#include "tests/golden_models.h"

namespace alambic::config_golden_test {
namespace {

using Edits = std::vector<std::pair<std::string, Json>>;  ///< none of the value: left out

struct Family {
  std::string type;
  Json golden, shared;
  FamilyKeys keys;
  Json config;  ///< without settings of RoPE
};

// Of the models whose folder has another name.
std::string folder_of(const std::string& type) {
  for (const char* name : {"gemma3", "gemma4", "qwen3_5", "qwen3_5_moe"}) {
    if (type == std::string(name) + "_text") return name;
  }
  return type;
}

Json config_of(const std::string& type) {
  Json config = read_json_object(golden_folder(folder_of(type)) / "config.json");
  for (const char* key : {"rope_parameters", "rope_scaling", "rope_theta", "partial_rotary_factor",
                          "rotary_emb_base", "rotary_pct", "rope_local_base_freq"}) {
    config.erase(key);
  }
  return config;
}

std::vector<Family> families() {
  const Json file = Json::parse(read_file(golden_folder("configs.json")));
  std::vector<Family> all;
  for (const Json& one : file["families"]) {
    const std::string type = one["model_type"];
    all.push_back({type, one, file["rope_edits"], family_keys(type), config_of(type)});
  }
  return all;
}

// The values of type_edits() in configs.py.
std::vector<Json> other_values(FamilyKey::Kind kind, const Json& value) {
  const Json list = Json::array();
  switch (kind) {
    case FamilyKey::integer:
    case FamilyKey::whole: {
      const int64_t number = value.is_number_integer() ? value.get<int64_t>() : 4;
      const auto real = static_cast<double>(number);
      return {nullptr, real, real + 0.5, true, std::to_string(number), Json::array({number})};
    }
    case FamilyKey::real:
      return {nullptr, 1, 0.25, true, "0.5", Json::array({0.5})};
    case FamilyKey::flag:
      return {nullptr, true, false, 0, 1, "true"};
    case FamilyKey::text:
      return {nullptr, "other", 3, true};
    default:
      return {nullptr, 3, "x", Json::object(), Json::array({3}), Json::array({"x"})};
  }
}

bool close(const Json& found, const Json& expected) {
  if (found.is_number() && expected.is_number()) {
    const double a = found, b = expected;
    return std::fabs(a - b) <= 2e-6 * std::max(std::fabs(a), std::fabs(b));
  }
  if (found.is_array() && expected.is_array()) {
    return std::ranges::equal(found, expected, close);
  }
  return found == expected;
}

// [frequencies, factor] of each kind of layers.
Json ropes(const Config& config) {
  Json all = Json::array();
  std::vector<std::string> kinds;
  for (const char* kind : {"full_attention", "sliding_attention", "main", "compress"}) {
    const Json& types = config.value("layer_types");
    const bool of_layers = kind[0] == 'm' || kind[0] == 'c' ||
                           std::ranges::any_of(types, [&](const Json& one) { return one == kind; });
    if (config.object("rope_parameters").has(kind) && of_layers) kinds.emplace_back(kind);
  }
  if (!config.has("rope_parameters")) return all;
  if (kinds.empty()) kinds.emplace_back("");
  for (const std::string& kind : kinds) {
    const RopeSettings settings = config.rope(kind);
    int64_t width = config.size("head_dim");
    if (kind == "full_attention" && config.has("global_head_dim")) {
      const JsonFields layers = config.object("per_layer_config");
      if (!config.has("per_layer_config")) width = config.size("global_head_dim");
      for (const auto& [layer, own] : layers.json.items()) width = own.value("head_dim", width);
    }
    const Tensor frequencies = rope_frequencies(width, settings).to(at::kDouble).contiguous();
    const double* first = frequencies.data_ptr<double>();
    all.push_back(
        {std::vector<double>(first, first + frequencies.numel()), rope_attention_factor(settings)});
  }
  return all;
}

// Values that transformers has under no name of the class, or that we keep elsewhere.
bool is_compared(const std::string& key, const Json& expected) {
  static const std::set<std::string> elsewhere = {
      "num_mtp_layers",  "sliding_window_pattern", "full_attention_interval",
      "global_head_dim", "compress_ratios",        "num_global_key_value_heads",
      "num_hash_layers", "compress_rate_csa",      "compress_rate_hca",
      "qk_rope_head_dim"};
  const bool computed = (key == "head_dim" || key == "n_inner") && expected.is_null();
  return !computed && !elsewhere.contains(key);
}

// Without what is a buffer in transformers.
int64_t parameters_of(Model& model) {
  int64_t count = 0;
  model.visit([&](const std::string& name, const Weight& tensor) {
    const bool buffer = name.ends_with(".e_score_correction_bias") || name.ends_with(".tid2eid") ||
                        name.ends_with(".ffn.gate.bias") || name.ends_with(".layer_scalar");
    if (!buffer) count += tensor.numel();
  });
  return count;
}

// Why the configuration is not what transformers makes of it; "": it is.
std::string difference(const Family& family, const Json& config, const Json& outcome) {
  const std::unique_ptr<Model> model = make_model(config, "config.json");
  const Json completed = complete_config(config, "config.json");
  Json expected = family.golden["base"];
  if (outcome > 1) expected.update(family.golden["outcomes"][outcome.get<size_t>() - 2]);
  for (const FamilyKey& key : family.keys.keys) {
    if (!is_compared(key.name, expected[key.name])) continue;
    const Json found = completed.value(key.name, Json());
    if (!close(found, expected[key.name])) {
      return key.name + " is " + found.dump() + ", expected " + expected[key.name].dump();
    }
  }
  const Json parameters = parameters_of(*model);
  if (parameters != expected["parameters"]) {
    return "parameters are " + parameters.dump() + ", expected " + expected["parameters"].dump();
  }
  const Json turns = ropes({{completed, "config.json"}});
  return close(turns, expected["rope"])
             ? ""
             : "rope is " + turns.dump() + ", expected " + expected["rope"].dump();
}

struct Counts {
  int same = 0, refused = 0, read = 0;
};

// One configuration; errors must name one of `keys`.
void check_one(const Family& family, const Json& config, const Json& outcome,
               const std::vector<std::string>& keys, const std::string& edit, Counts& counts) {
  const std::string what = family.type + ": " + edit;
  try {
    const std::string wrong = difference(family, config, outcome == 0 ? Json(1) : outcome);
    if (outcome == 0) {
      ++counts.read;
      return;
    }
    ++counts.same;
    EXPECT_EQ(wrong, "") << what;
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input) << what << ": " << error.what();
    const std::string text = error.what() + error.hint();
    EXPECT_EQ(text.find("json.exception"), std::string::npos) << what << ": " << text;
    EXPECT_TRUE(std::ranges::any_of(
        keys, [&](const std::string& key) { return text.find(key) != std::string::npos; }))
        << what << ": " << text;
    if (outcome == 0) return;
    ++counts.refused;
    if (std::getenv("ALAMBIC_CONFIGS")) printf("REFUSED %s\n  %s\n", what.c_str(), text.c_str());
  }
}

// The edit with lists of factors of these pairs, not of MOST_PAIRS in configs.py.
Json fitted(Json edit, size_t pairs) {
  for (auto& [key, value] : edit.items()) {
    if (value.is_object()) value = fitted(value, pairs);
    if (!key.ends_with("_factor") || !value.is_array()) continue;
    while (value.size() > pairs) value.erase(value.size() - 1);
  }
  return edit;
}

std::vector<std::string> names_in(const Json& edit) {
  std::vector<std::string> names;
  for (const auto& [key, value] : edit.items()) {
    names.push_back(key);
    if (!value.is_object()) continue;
    for (const std::string& inner : names_in(value)) names.push_back(inner);
  }
  return names;
}

TEST(Configs, OfEveryKeyAreWhatTransformersMakesOfThem) {
  Counts counts;
  for (const Family& family : families()) {
    const Json& base = family.config;
    for (const FamilyKey& key : family.keys.keys) {
      const Json& outcomes = family.golden["types"][key.name];
      Json without = base;
      without.erase(key.name);
      check_one(family, without, outcomes[0], {key.name, "layers", "heads"}, "no " + key.name,
                counts);
      const auto values = other_values(key.kind, base.value(key.name, Json()));
      ASSERT_EQ(values.size() + 1, outcomes.size()) << key.name;
      for (size_t i = 0; i < values.size(); ++i) {
        Json config = base;
        config[key.name] = values[i];
        check_one(family, config, outcomes[i + 1], {key.name}, key.name + ": " + values[i].dump(),
                  counts);
      }
    }
    for (const auto& [other, name] : family.keys.spellings) {
      const Json& outcomes = family.golden["spelled"][other];
      const Json value = base.value(name, Json(1));
      Json alone = base, both = base, null = base, real = base;
      alone.erase(name);
      alone[other] = value;
      both[other] = value.get<int64_t>() + 1;
      null[other] = nullptr;
      real[other] = value.get<double>();
      size_t i = 0;
      for (const Json& config : {alone, both, null, real}) {
        check_one(family, config, outcomes[i++], {other, name}, other + config[other].dump(),
                  counts);
      }
    }
  }
  // What transformers reads and we do not: docs/formats.md. More would be something lost.
  EXPECT_EQ(counts.refused, 72);
}

TEST(Configs, OfEveryListAndRopeAreWhatTransformersMakesOfThem) {
  Counts counts;
  for (const Family& family : families()) {
    const Json& base = family.config;
    Json edits = family.golden["edits"];
    const Json& ropes = family.golden["ropes"];
    const size_t pairs = family.golden["pairs"];
    for (size_t i = 0; i < ropes.size(); ++i) {
      edits.push_back(Json::array({fitted(family.shared[i], pairs), ropes[i]}));
    }
    for (const Json& one : edits) {
      Json config = base;
      config.update(one[0]);
      check_one(family, config, one[1], names_in(one[0]), one[0].dump(), counts);
    }
  }
  // Two of them are a Mistral's "layer_types", which its class ignores and AutoConfig does not.
  EXPECT_EQ(counts.refused, 414);
}

}  // namespace
}  // namespace alambic::config_golden_test
