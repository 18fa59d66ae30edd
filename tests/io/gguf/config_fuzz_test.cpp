// Configurations changed at random, by key: each is read and written as GGUF, or refused in a
// sentence; and what the GGUF file says is what the folder said. The slow form, which computes both
// and asks transformers, is tools/goldens/check_configs.py.
#include <algorithm>
#include <cmath>
#include <random>

#include "alambic/base/files.h"
#include "alambic/io/config/complete_config.h"
#include "alambic/io/config/family_keys.h"
#include "tests/io/gguf/gguf_testing.h"

namespace alambic::config_fuzz_test {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* names[] = {
    "llama",   "mistral",   "mixtral",     "qwen2",       "qwen3",       "qwen3_5",  "gemma2",
    "gemma3",  "gemma4",    "olmo2",       "phi3",        "gpt2",        "gpt_neox", "gpt_oss",
    "smollm3", "qwen3_moe", "deepseek_v2", "deepseek_v3", "deepseek_v32"};

// What both kinds of files tell of every family that has it.
constexpr const char* told[] = {"hidden_size",
                                "num_hidden_layers",
                                "num_attention_heads",
                                "num_key_value_heads",
                                "head_dim",
                                "rms_norm_eps",
                                "layer_norm_eps",
                                "layer_norm_epsilon",
                                "layer_types",
                                "sliding_window",
                                "attn_logit_softcapping",
                                "final_logit_softcapping",
                                "num_experts_per_tok",
                                "routed_scaling_factor",
                                "norm_topk_prob",
                                "q_lora_rank",
                                "kv_lora_rank",
                                "qk_nope_head_dim",
                                "qk_rope_head_dim",
                                "v_head_dim",
                                "first_k_dense_replace",
                                "mlp_layer_types",
                                "no_rope_layers",
                                "linear_key_head_dim",
                                "linear_num_key_heads",
                                "linear_num_value_heads",
                                "linear_value_head_dim",
                                "n_inner",
                                "use_parallel_residual",
                                "max_position_embeddings"};

double number(const Json& rope, const char* key, double otherwise) {
  return JsonFields{rope, "rope"}.number(key, otherwise);
}

// The factor of queries and keys, given or as transformers' rope utilities work it out.
double attention_factor(const Json& rope, const std::string& type, double factor) {
  const double given = number(rope, "attention_factor", 0);
  if (given != 0 || factor <= 1) return given != 0 ? given : 1;
  const auto scale = [&](double m) { return 0.1 * m * std::log(factor) + 1; };
  if (type == "longrope") {
    return std::sqrt(1 + std::log(factor) /
                             std::log(number(rope, "original_max_position_embeddings", 0)));
  }
  if (type != "yarn") return 1;
  const double m = number(rope, "mscale", 0), all = number(rope, "mscale_all_dim", 0);
  return m != 0 && all != 0 ? scale(m) / scale(all) : scale(1);
}

// Settings of the angles with every default, of each kind of layers; DeepSeek's scores also take
// mscale_all_dim.
Json angles(const Json& rope, bool deepseek) {
  if (rope.contains("full_attention")) {
    return {angles(rope["full_attention"], deepseek), angles(rope["sliding_attention"], deepseek)};
  }
  const std::string type = rope["rope_type"];
  const double factor = number(rope, "factor", 1);
  Json all = {type, rope["rope_theta"], number(rope, "partial_rotary_factor", 1), factor};
  if (type == "yarn" || type == "llama3") all.push_back(rope["original_max_position_embeddings"]);
  for (const auto& [key, value] : {std::pair("beta_fast", 32.0),
                                   {"beta_slow", 1.0},
                                   {"low_freq_factor", 0.0},
                                   {"high_freq_factor", 0.0}}) {
    all.push_back(number(rope, key, value));
  }
  all.push_back(attention_factor(rope, type, factor));
  all.push_back(deepseek ? number(rope, "mscale_all_dim", 0) : 0.0);
  return all;
}

bool close(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) {
    const double x = a, y = b;
    return std::fabs(x - y) <= 2e-6 * std::max(std::fabs(x), std::fabs(y));
  }
  if (a.is_null() && b.is_boolean()) return b == false;
  return a.is_array() && b.is_array() ? std::ranges::equal(a, b, close) : a == b;
}

std::string difference(const Json& folder, const Json& file) {
  for (const char* key : told) {
    const Json a = folder.value(key, Json()), b = file.value(key, Json());
    if (!close(a, b)) return fmt::format("{} is {}, in GGUF {}", key, a.dump(), b.dump());
  }
  if (!folder.contains("rope_parameters")) return "";
  const bool deepseek = folder["model_type"].get<std::string>().starts_with("deepseek");
  const Json a = angles(folder["rope_parameters"], deepseek);
  const Json b = angles(file["rope_parameters"], deepseek);
  return close(a, b) ? "" : fmt::format("angles are {}, in GGUF {}", a.dump(), b.dump());
}

// Changes of one key, or of several that belong together.
std::vector<Json> edits_of(const Json& golden, const Json& config) {
  std::vector<Json> edits;
  for (const Json& edit : golden["rope_edits"]) edits.push_back(edit);
  const std::string type = config["model_type"];
  for (const Json& family : golden["families"]) {
    if (family["model_type"] != type) continue;
    for (const Json& one : family["edits"]) edits.push_back(one[0]);
  }
  for (const FamilyKey& key : family_keys(type).keys) {
    for (const Json& value :
         {Json(), Json(1), Json(2.0), Json(0.5), Json(true), Json("x"), Json("8"), Json::array(),
          Json::object(), Json(-1), Json(1ULL << 40)}) {
      edits.push_back({{key.name, value}});
    }
  }
  return edits;
}

struct Outcomes {
  int written = 0, refused = 0;
};

void check_one(const ModelFolder& model, const Json& config, const Json& edit, Outcomes& outcomes) {
  const std::string what = config["model_type"].dump() + " with " + edit.dump();
  try {
    const Json folder = complete_config(config, "m/config.json");
    const GgufModel file = open_gguf_model(written(config, model.tensors()));
    EXPECT_EQ(difference(folder, complete_config(file.config, "m.gguf")), "") << what;
    ++outcomes.written;
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input) << what << ": " << error.what();
    EXPECT_EQ(std::string(error.what()).find("json.exception"), std::string::npos) << what;
    EXPECT_EQ(std::string(error.what()).find("type must be"), std::string::npos) << what;
    ++outcomes.refused;
  }
}

TEST(ConfigsByKey, AreTheSameInGgufOrRefused) {
  const Json golden =
      Json::parse(read_file(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/configs.json"));
  std::mt19937 random(13);
  Outcomes outcomes;
  for (const char* name : names) {
    const ModelFolder model = alambic::golden(name);
    const std::vector<Json> edits = edits_of(golden, model.config());
    for (int round = 0; round < 40; ++round) {
      Json config = model.config(), edit = Json::object();
      for (const char* key : {"rope_parameters", "rope_theta"}) config.erase(key);
      for (unsigned changes = 1 + random() % 3; changes > 0; --changes) {
        edit.update(edits[random() % edits.size()]);
      }
      config.update(edit);
      check_one(model, config, edit, outcomes);
    }
  }
  EXPECT_GT(outcomes.written, 50);
  EXPECT_GT(outcomes.refused, 50);
}

// Bug: YaRN added by hand to a configuration of transformers 5 was left out of the folder's model
// and not of its GGUF file.
TEST(ConfigsByKey, WithRopeScalingBesideRopeParametersScale) {
  const ModelFolder model = golden("llama");
  Json config = model.config();
  config["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 1e4}};
  config["rope_scaling"] = {
      {"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 16}};
  const Json folder = complete_config(config, "config.json");
  EXPECT_EQ(folder["rope_parameters"]["rope_type"], "yarn");
  EXPECT_EQ(folder["rope_parameters"]["factor"], 4.0);
  const GgufModel file = open_gguf_model(written(config, model.tensors()));
  EXPECT_EQ(difference(folder, complete_config(file.config, "m.gguf")), "");
}

// Bug: null for a flag that is true by default, which Python takes for false, was written as true
// or ended in a message of the JSON library.
TEST(ConfigsByKey, AreTheSameInGgufOrRefusedWhereAKeyIsNull) {
  Outcomes outcomes;
  for (const char* name : names) {
    const ModelFolder model = alambic::golden(name);
    for (const FamilyKey& key : family_keys(model.config()["model_type"]).keys) {
      Json config = model.config();
      const Json edit = {{key.name, nullptr}};
      config.update(edit);
      check_one(model, config, edit, outcomes);
    }
  }
  EXPECT_GT(outcomes.written, 25);
  EXPECT_GT(outcomes.refused, 50);
}

// Bug: null where a number of heads or of predictors could stand ended as a bug (70).
TEST(ConfigsByKey, MayBeNull) {
  for (const auto& [name, key] :
       {std::pair("llama", "num_key_value_heads"), {"deepseek_v3", "num_nextn_predict_layers"}}) {
    const ModelFolder model = golden(name);
    Json config = model.config();
    config[key] = nullptr;
    EXPECT_NO_THROW(open_gguf_model(written(config, model.tensors()))) << name;
  }
}

}  // namespace
}  // namespace alambic::config_fuzz_test
