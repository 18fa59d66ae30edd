// What the tests of every family do not see of DeepSeek: the cache of latents, multi-token
// prediction, the correction of the router, older spellings, refusals.
#include <gtest/gtest.h>

#include "alambic/base/json_object.h"
#include "alambic/io/model_folder.h"
#include "alambic/model/adapter.h"
#include "alambic/model/families.h"
#include "alambic/model/load.h"
#include "alambic/nn/index_scores.h"
#include "tests/golden_models.h"
#include "tests/model/golden_copy.h"
#include "tests/packed_as_it_is.h"

namespace alambic::deepseek_test {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> goldens = {"deepseek_v2", "deepseek_v2_lite", "deepseek_v3",
                                          "deepseek_v32"};

Packed ten_tokens() { return {.tokens_N = at::arange(3, 13), .offsets = {0, 10}}; }

// Ten tokens in a cache: four as a prompt, the others one by one.
Tensor decoded(const Model& model, KvCache& cache) {
  const Packed all = ten_tokens();
  std::vector<Tensor> rows;
  for (int64_t begin = 0; begin < 10;) {
    const int64_t count = begin == 0 ? 4 : 1;
    const Packed input = {.tokens_N = all.tokens_N.narrow(0, begin, count), .offsets = {0, count}};
    Pass pass(input, cache, {0});
    rows.push_back(model.hidden(pass));
    pass.finish();
    begin += count;
  }
  return at::cat(rows);
}

// A cache of keys and values of all heads would be 4 · (12 + 6) numbers to a layer and position.
TEST(DeepSeek, RemembersOneLatentAndOneKeyOfAPosition) {
  for (const std::string& name : goldens) {
    const KvCache::Shape shape = load_model(golden_folder(name), {.on_meta = true})->shape().cache;
    const int64_t index_key = name == "deepseek_v32" ? 9 : 0;
    EXPECT_EQ(shape.numel(), 2 * (10 + 4 + index_key)) << name;
  }
}

// Decoding takes the weights of kv_b_proj apart: it must not forget what an adapter adds to them.
TEST(DeepSeek, DecodesFromTheLatentsAlsoWithAnAdapter) {
  const at::NoGradGuard no_grad;
  for (const bool dora : {false, true}) {
    for (const std::string& name : goldens) {
      const std::unique_ptr<Model> model = load_model(golden_folder(name), {});
      const Tensor without = model->hidden(Pass(ten_tokens()));
      attach_adapter(*model, {.rank = 2, .targets = {"kv_b_proj"}, .dora = dora}, 3);
      model->visit([](const std::string& tensor_name, Tensor& tensor) {
        if (tensor_name.find("lora_B") != std::string::npos) tensor.fill_(0.2);
      });
      KvCache cache(model->shape().cache, 1, 10, model->options());
      const Packed input = ten_tokens();
      const Tensor plain = model->hidden(Pass(input));
      EXPECT_LT(distance(decoded(*model, cache), plain), 1e-4) << name;
      EXPECT_GT(distance(without, plain), 1e-2) << name;
    }
  }
}

// Of a GGUF file from before the absorption that stays packed.
TEST(DeepSeek, DecodesFromTheLatentsAlsoWithAPackedMap) {
  const at::NoGradGuard no_grad;
  const std::unique_ptr<Model> model = load_model(golden_folder("deepseek_v3"), {});
  const Tensor plain = model->hidden(Pass(ten_tokens()));
  model->visit({[](const std::string&, Tensor&) {},
                [](const std::string& name, Weight& weight) {
                  if (name.ends_with("kv_b_proj.weight")) weight = packed_as_it_is(weight.dense());
                }});
  KvCache cache(model->shape().cache, 1, 10, model->options());
  EXPECT_LT(distance(decoded(*model, cache), plain), 1e-4);
}

struct Folder : GoldenCopy {
  Folder() : GoldenCopy("deepseek_v3") {}
  std::string error() {
    try {
      load();
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input) << error.what();
      return error.what();
    }
    return "no error";
  }
};

TEST(DeepSeek, LeavesOutTheLayerOfMultiTokenPredictionWithAWord) {
  Folder folder;
  folder.config["num_nextn_predict_layers"] = 1;
  folder.tensors.emplace_back("model.layers.2.eh_proj.weight", at::ones({24, 48}));
  folder.tensors.emplace_back("model.layers.2.input_layernorm.weight", at::ones({24}));
  testing::internal::CaptureStderr();
  const std::unique_ptr<Model> model = folder.load();
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("2 tensors are left out: layers for multi-token prediction"),
            std::string::npos)
      << said;
  EXPECT_TRUE(
      at::equal(model->hidden(Pass(ten_tokens())), folder.model->hidden(Pass(ten_tokens()))));
  EXPECT_EQ(model->config["num_nextn_predict_layers"], 0);  // what is saved has none
}

TEST(DeepSeek, NamesALayerThatTheConfigurationDoesNotHave) {
  for (const auto& [predictors, layer] :
       {std::pair(0, "2"), std::pair(1, "3"), std::pair(1, "x")}) {
    Folder folder;
    folder.config["num_nextn_predict_layers"] = predictors;
    const std::string name = std::string("model.layers.") + layer + ".input_layernorm.weight";
    folder.tensors.emplace_back(name, at::ones({24}));
    testing::internal::CaptureStderr();
    folder.load();
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find(name), std::string::npos) << said;
  }
}

TEST(DeepSeek, ReadsTheSpellingOfTheAuthorsFiles) {
  Folder folder;
  Json& config = folder.config;
  Json scaling = config["rope_parameters"];
  config["rope_theta"] = scaling["rope_theta"];
  scaling["type"] = scaling["rope_type"];
  for (const char* key : {"rope_theta", "rope_type"}) scaling.erase(key);
  config["rope_scaling"] = scaling;
  for (const char* key : {"rope_parameters", "head_dim", "qk_head_dim", "rope_interleave"}) {
    config.erase(key);
  }
  config["scoring_func"] = "sigmoid";
  config["topk_method"] = "noaux_tc";
  config["moe_layer_freq"] = 1;
  config["num_key_value_heads"] = 128;  // means nothing here
  EXPECT_TRUE(at::equal(folder.load()->hidden(Pass(ten_tokens())),
                        folder.model->hidden(Pass(ten_tokens()))));
}

// In bfloat16 the correction, which grows in small steps, would choose other experts. AdamW with
// decay on all would shrink it.
TEST(DeepSeek, KeepsTheCorrectionOfTheRouterAsItIs) {
  const std::string correction = "model.layers.1.mlp.gate.e_score_correction_bias";
  const std::unique_ptr<Model> model =
      load_model(golden_folder("deepseek_v3"), {.dtype = at::kBFloat16, .trainable = true});
  Tensor before;
  model->visit([&](const std::string& name, Tensor& tensor) {
    EXPECT_EQ(tensor.scalar_type(), name == correction ? at::kFloat : at::kBFloat16) << name;
    EXPECT_EQ(tensor.requires_grad(), name != correction) << name;
    if (name == correction) before = tensor;
  });
  const fs::path folder = fs::path(testing::TempDir()) / "alambic_deepseek_narrow";
  fs::remove_all(folder);
  save_model(*model, folder, nullptr);
  EXPECT_TRUE(at::equal(golden(folder / "model.safetensors", correction), before));
}

// A choice among equals that depended on how many entries come later would make a completion depend
// on the cache: equal scores are frequent, because ReLU makes zeros.
// transformers asks `if config.norm_topk_prob`: None is no default there, but false.
TEST(DeepSeek, ANullFlagIsFalse) {
  const at::NoGradGuard no_grad;
  for (const char* key : {"norm_topk_prob", "rope_interleave"}) {
    GoldenCopy copy("deepseek_v3");
    const auto hidden = [&](const Json& value) {
      copy.config[key] = value;
      return copy.load()->hidden(Pass(ten_tokens()));
    };
    const Tensor expected = hidden(false);
    EXPECT_TRUE(hidden(nullptr).equal(expected)) << key;
    EXPECT_FALSE(hidden(true).equal(expected)) << key;
  }
}

TEST(DeepSeek, AnIndexerTakesTheFirstOfEquals) {
  for (const int64_t later : {0, 1, 40, 300}) {
    const Tensor scores = at::zeros({1, 20 + later});
    const Tensor visible = (at::arange(20 + later) < 20).unsqueeze(0);
    const ChosenEntries best = best_entries(scores, visible, 7);
    EXPECT_TRUE(at::equal(best.index_TC, at::arange(7).unsqueeze(0))) << later;
    EXPECT_TRUE(best.seen_TC.all().item<bool>()) << later;
  }
}

// It has no gradient: with weight decay it would shrink all the same. As a constant in float32, as
// the router's correction is, it could not be applied to bfloat16.
TEST(DeepSeek, KeepsTheIndexerAsItIsInTheModelsType) {
  const std::unique_ptr<Model> model =
      load_model(golden_folder("deepseek_v32"), {.dtype = at::kBFloat16, .trainable = true});
  int64_t count = 0;
  model->visit([&](const std::string& name, Tensor& tensor) {
    if (name.find("indexer") == std::string::npos) return;
    EXPECT_EQ(tensor.scalar_type(), at::kBFloat16) << name;
    EXPECT_FALSE(tensor.requires_grad()) << name;
    ++count;
  });
  EXPECT_EQ(count, 2 * 5);
}

TEST(DeepSeek, RefusesWhatItDoesNotCompute) {
  const std::vector<std::tuple<std::string, std::string, Json>> cases = {
      {"deepseek_v2", "topk_method", "noaux_tc"},
      {"deepseek_v2", "norm_topk_prob", true},
      {"deepseek_v2", "scoring_func", "sigmoid"},
      {"deepseek_v2", "n_group", 4},
      {"deepseek_v2", "n_group", nullptr},
      {"deepseek_v2", "topk_group", 1},  // two experts, but three are chosen
      {"deepseek_v3", "topk_group", 5},
      {"deepseek_v3", "n_group", 8},  // no two in a group
      {"deepseek_v3", "topk_method", "greedy"},
      {"deepseek_v3", "scoring_func", "softmax"},
      {"deepseek_v3", "moe_layer_freq", 2},
      {"deepseek_v3", "num_experts_per_tok", 9},
      {"deepseek_v3", "qk_rope_head_dim", 3},
      {"deepseek_v3", "kv_lora_rank", nullptr},
      {"deepseek_v32", "layer_types", {"full_attention", "indexed_attention"}},
      {"deepseek_v32", "mlp_layer_types", {"dense"}},
      {"deepseek_v32", "mlp_layer_types", {"dense", "moe"}},
      {"deepseek_v32", "index_topk", 0},
      {"deepseek_v32", "index_head_dim", 3},  // less than turns
      {"deepseek_v32", "q_lora_rank", nullptr},
      {"deepseek_v2_lite", "hidden_act", "gelu"},
      {"deepseek_v2_lite", "mlp_bias", true}};
  for (const auto& [name, key, value] : cases) {
    Json config = read_json_object(golden_folder(name) / "config.json");
    config[key] = value;
    try {
      make_model(config, "config.json");
      ADD_FAILURE() << name << " " << key << " " << value;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
    }
  }
}

}  // namespace
}  // namespace alambic::deepseek_test
