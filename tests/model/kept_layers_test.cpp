#include "alambic/model/kept_layers.h"

#include <gtest/gtest.h>

#include "alambic/base/json_object.h"
#include "alambic/io/config/complete_config.h"
#include "alambic/model/cut_layers.h"
#include "alambic/model/families.h"
#include "alambic/model/load.h"
#include "tests/golden.h"

namespace alambic::kept_layers_test {
namespace {

constexpr int64_t all = 13;
const std::vector<int64_t> kept = {0, 4, 5, 12};

// A family's golden configuration with 13 layers, whose kinds follow from `changes` and defaults.
Json many_layers(const std::string& family, const Json& changes) {
  Json config = read_json_object(golden_folder(family) / "config.json");
  for (const char* key : {"layer_types", "mlp_layer_types", "no_rope_layers", "mlp_only_layers",
                          "per_layer_config"}) {
    config.erase(key);
  }
  config["num_hidden_layers"] = all;
  config.update(changes);
  return config;
}

Json kept_of(const std::string& family, const Json& changes) {
  Json config = many_layers(family, changes);
  keep_layers(config, "m", "num_hidden_layers", all, kept);
  return complete_config(config, "m");
}

struct Case {
  const char* family;
  const char* list;
  Json changes;
};

// Bug: the kinds of a cut model's layers were worked out anew from its fewer layers, so that a
// layer with a window lost it (Gemma, Qwen, gpt-oss) or one without rotation was turned (SmolLM3).
TEST(KeptLayers, StayOfTheirKind) {
  const Case cases[] = {
      {"gemma2", "layer_types", Json::object()},
      {"gemma3", "layer_types", {{"sliding_window_pattern", 6}}},
      {"gemma4", "layer_types", {{"num_kv_shared_layers", 0}}},
      {"gpt_oss", "layer_types", Json::object()},
      {"qwen2", "layer_types", {{"use_sliding_window", true}, {"max_window_layers", 5}}},
      {"qwen3_5", "layer_types", {{"full_attention_interval", 3}}},
      {"smollm3", "layer_types", {{"no_rope_layer_interval", 3}, {"use_sliding_window", true}}},
      {"smollm3", "no_rope_layers", {{"no_rope_layer_interval", 3}}},
      {"deepseek_v32", "mlp_layer_types", {{"first_k_dense_replace", 5}}},
      {"deepseek_v4", "layer_types", Json::object()},
      {"deepseek_v4", "mlp_layer_types", Json::object()},
  };
  for (const auto& [family, list, changes] : cases) {
    const Json before = complete_config(many_layers(family, changes), "m");
    Json expected = Json::array();
    for (const int64_t layer : kept) expected.push_back(before[list][layer]);
    const Json after = kept_of(family, changes);
    EXPECT_EQ(after["num_hidden_layers"], kept.size()) << family;
    EXPECT_EQ(after[list], expected) << family;
  }
}

TEST(KeptLayers, AreCountedWhereANumberSaysTheirKind) {
  for (const auto& [first, dense] : {std::pair(0, 0), {3, 1}, {5, 2}, {6, 3}}) {
    const Json after = kept_of("deepseek_v3", {{"first_k_dense_replace", first}});
    EXPECT_EQ(after["first_k_dense_replace"], dense);
  }
  const Json odd = kept_of("qwen3_moe", {{"decoder_sparse_step", 2}, {"mlp_only_layers", {5}}});
  EXPECT_EQ(odd["mlp_only_layers"], (Json{0, 1, 2, 3}));
  EXPECT_EQ(odd["decoder_sparse_step"], 1);
  const Json some = kept_of("qwen3_moe", {{"decoder_sparse_step", 1}, {"mlp_only_layers", {4, 7}}});
  EXPECT_EQ(some["mlp_only_layers"], Json{1});
  const Json shared = kept_of(
      "gemma4", {{"num_kv_shared_layers", 8}, {"per_layer_config", {{"5", {{"head_dim", 12}}}}}});
  EXPECT_EQ(shared["num_kv_shared_layers"], 2);
  EXPECT_EQ(shared["per_layer_config"], (Json{{"2", {{"head_dim", 12}}}}));
}

// The golden Gemma 3 with a pattern in place of its list: of the two layers that are kept of three,
// the second has the window of the last.
TEST(KeptLayers, OfAModelComputeAsTheyDid) {
  Json config = many_layers("gemma3", {{"sliding_window_pattern", 2}, {"num_hidden_layers", 3}});
  const std::unique_ptr<Model> whole = make_model(config, "m");
  init_weights(*whole, 1, {});
  const fs::path folder = fs::path(testing::TempDir()) / "alambic_kept_layers";
  fs::remove_all(folder);
  save_model(*whole, folder, nullptr);
  const std::unique_ptr<Model> cut = cut_model(folder, 2, {});
  EXPECT_EQ(cut->config["layer_types"], (Json{"sliding_attention", "sliding_attention"}));
}

}  // namespace
}  // namespace alambic::kept_layers_test
