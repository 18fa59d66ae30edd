// What the tests of every family do not see of Gemma 4: both spellings of the layers' heads, files
// of models that see and hear, what the cache keeps, refusals.
#include <gtest/gtest.h>

#include "alambic/base/json_object.h"
#include "alambic/io/model_folder.h"
#include "alambic/model/adapter.h"
#include "alambic/model/families.h"
#include "alambic/model/load.h"
#include "tests/golden_models.h"

namespace alambic::gemma4_test {
namespace {

Packed ten_tokens() { return {.tokens_N = at::arange(3, 13), .offsets = {0, 10}}; }

// A cache of all four layers at the wider heads would be 4 · 2 · (12 + 12) numbers.
TEST(Gemma4, RemembersNothingOfLayersThatReadTheKeysOfOthers) {
  const KvCache::Shape shape = load_model(golden_folder("gemma4"), {})->shape().cache;
  EXPECT_EQ(shape.numel(), 2 * (8 + 8) + 2 * (12 + 12));
}

// Prevents per-layer embeddings, most of a small Gemma 4, that are trained in spite of --freeze.
TEST(Gemma4, FreezesTheEmbeddingsOfItsLayersToo) {
  const std::unique_ptr<Model> model = load_model(golden_folder("gemma4"), {.trainable = true});
  freeze_embeddings(*model);
  int64_t frozen = 0;
  model->visit([&](const std::string& name, Tensor& tensor) {
    if (name.find("embed_tokens") == std::string::npos) return;
    EXPECT_FALSE(tensor.requires_grad()) << name;
    ++frozen;
  });
  EXPECT_EQ(frozen, 2);
}

// transformers 5.2x writes "per_layer_config", the authors' files have the heads of global layers.
// A reader of one spelling would take the defaults of the other.
TEST(Gemma4, ReadsBothSpellingsOfTheHeadsOfGlobalLayers) {
  for (const std::string name : {"gemma4", "gemma4_moe"}) {
    const std::unique_ptr<Model> golden = load_model(golden_folder(name), {});
    Json config = golden->config;
    config.erase("per_layer_config");
    config["global_head_dim"] = 12;
    if (name == "gemma4_moe") config["num_global_key_value_heads"] = 1;
    const std::unique_ptr<Model> other = make_model(config, "config.json");
    std::vector<std::vector<int64_t>> shapes;
    golden->visit([&](const std::string&, Tensor& x) { shapes.push_back(x.sizes().vec()); });
    size_t i = 0;
    other->visit([&](const std::string& tensor, Tensor& x) {
      EXPECT_EQ(x.sizes().vec(), shapes.at(i++)) << tensor;
    });
  }
}

// The authors' files hold vision and audio, and keys and values that nobody reads.
TEST(Gemma4, ReadsTheTextPartOfAModelThatSeesAndHears) {
  const at::NoGradGuard no_grad;
  const std::unique_ptr<Model> text = load_model(golden_folder("gemma4"), {});
  const auto folder = std::filesystem::path(testing::TempDir()) / "alambic_gemma4";
  std::filesystem::remove_all(folder);
  std::vector<std::pair<std::string, Tensor>> tensors;
  const std::string prefix = "model.language_model.";
  text->visit([&](const std::string& name, Tensor& tensor) {
    tensors.emplace_back(prefix + name.substr(std::string("model.").size()), tensor);
  });
  for (const std::string other : {"model.vision_tower.x", "model.audio_tower.x",
                                  "model.embed_vision.x", "model.embed_audio.x"}) {
    tensors.emplace_back(other, at::ones({2, 2}));
  }
  for (const std::string unused : {"k_proj", "v_proj", "k_norm"}) {
    tensors.emplace_back(prefix + "layers.3.self_attn." + unused + ".weight", at::ones({2, 2}));
  }
  Json inner = text->config;
  inner.erase("architectures");
  const Json config = {{"architectures", {"Gemma4ForConditionalGeneration"}},
                       {"model_type", "gemma4"},
                       {"text_config", inner}};
  write_model_folder(folder, config, nullptr, to_views(tensors));
  testing::internal::CaptureStderr();
  const std::unique_ptr<Model> found = load_model(folder, {});
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("3 tensors are left out: keys and values"), std::string::npos) << said;
  EXPECT_TRUE(at::equal(found->hidden(Pass(ten_tokens())), text->hidden(Pass(ten_tokens()))));
  EXPECT_EQ(found->config["architectures"][0], "Gemma4ForCausalLM");
}

TEST(Gemma4, RefusesWhatItDoesNotCompute) {
  const std::vector<std::tuple<std::string, std::string, Json>> cases = {
      {"gemma4", "use_bidirectional_attention", "all"},
      {"gemma4", "hidden_activation", "silu"},
      {"gemma4", "num_kv_shared_layers", 4},
      {"gemma4", "num_kv_shared_layers", 3},  // no layer without a window makes keys
      {"gemma4", "num_kv_shared_layers", -1},
      {"gemma4",
       "layer_types",
       {"full_attention", "full_attention", "full_attention", "sliding_attention"}},
      {"gemma4", "per_layer_config", {{"1", {{"head_dim", 12}}}}},  // layer 3 would be another
      {"gemma4", "per_layer_config", {{"4", {{"head_dim", 12}}}}},
      {"gemma4", "per_layer_config", {{"1x", {{"head_dim", 12}}}}},
      {"gemma4", "per_layer_config", {{"1", {{"intermediate_size", 12}}}}},
      {"gemma4", "per_layer_config", {{"1", 3}}},
      {"gemma4", "per_layer_config", 7},
      {"gemma4", "vocab_size_per_layer_input", 63},
      {"gemma4", "hidden_size_per_layer_input", -1},
      {"gemma4_moe", "num_experts", nullptr},
      {"gemma4_moe", "top_k_experts", 5},
      {"gemma4_moe", "num_key_value_heads", 3}};
  for (const auto& [name, key, value] : cases) {
    Json config = read_json_object(golden_folder(name) / "config.json");
    config[key] = value;
    try {
      make_model(config, "config.json");
      ADD_FAILURE() << name << " " << key << " " << value;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      EXPECT_NE(std::string(error.what()).find(key), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace alambic::gemma4_test
