// What the tests of every family do not see of Qwen3.5: states that outlive their sequence, prompts
// shorter than the convolution, more than one chunk of the delta rule, whole models that also see.
#include <gtest/gtest.h>

#include <map>

#include "alambic/base/json_object.h"
#include "alambic/io/model_folder.h"
#include "alambic/model/families.h"
#include "alambic/model/load.h"
#include "tests/golden_models.h"
#include "tests/model/golden_copy.h"

namespace alambic::qwen3_5_test {
namespace {

namespace fs = std::filesystem;

struct Folder : GoldenCopy {
  explicit Folder(const std::string& name = "qwen3_5") : GoldenCopy(name) {}
};

Packed packed(const std::vector<std::vector<int64_t>>& sequences) {
  std::vector<int64_t> tokens;
  Packed input = {.tokens_N = {}, .offsets = {0}};
  for (const auto& sequence : sequences) {
    tokens.insert(tokens.end(), sequence.begin(), sequence.end());
    input.offsets.push_back(std::ssize(tokens));
  }
  input.tokens_N = at::tensor(tokens, at::kLong);
  return input;
}

Tensor alone(const Model& model, const std::vector<int64_t>& tokens) {
  const Packed input = packed({tokens});
  return model.hidden(Pass(input));
}

// Rows of a pass with a cache.
Tensor cached(const Model& model, KvCache& cache, const std::vector<std::vector<int64_t>>& parts,
              const std::vector<int64_t>& slots) {
  const Packed input = packed(parts);
  Pass pass(input, cache, slots);
  const Tensor hidden = model.hidden(pass);
  pass.finish();
  return hidden;
}

// Attention sees `lengths`; a state that is not emptied would be the former sequence's. Slot 1 is
// taken again in a pass of prompts, slot 0 among sequences that are decoded.
TEST(Qwen35, ASlotForgetsTheSequenceBefore) {
  const at::NoGradGuard no_grad;
  Folder folder;
  Model& model = *folder.model;
  KvCache cache(model.shape().cache, 2, 16, model.options());
  cached(model, cache, {{3, 4, 5, 6, 7}, {8, 9, 10, 11, 12, 13}}, {0, 1});
  cache.lengths[1] = 0;
  EXPECT_LT(distance(cached(model, cache, {{20, 21}}, {1}), alone(model, {20, 21})), 1e-5);
  cache.lengths[0] = 0;
  const Tensor rows = cached(model, cache, {{30}, {22}}, {0, 1});
  EXPECT_LT(distance(rows[0], alone(model, {30})[0]), 1e-5);
  EXPECT_LT(distance(rows[1], alone(model, {20, 21, 22})[2]), 1e-5);
  const Tensor next = cached(model, cache, {{23}, {31}}, {1, 0});
  EXPECT_LT(distance(next[0], alone(model, {20, 21, 22, 23})[3]), 1e-5);
  EXPECT_LT(distance(next[1], alone(model, {30, 31})[1]), 1e-5);
}

// Learning takes chunks of 64, decoding steps; where they part, the sampler's model is another.
TEST(Qwen35, DecodesBeyondAChunkWhatItLearns) {
  const at::NoGradGuard no_grad;
  Folder folder;
  folder.config["max_position_embeddings"] = 200;
  const std::unique_ptr<Model> model = folder.load();
  std::vector<int64_t> tokens;
  for (int64_t i = 0; i < 140; ++i) tokens.push_back(3 + i * i % 61);
  KvCache cache(model->shape().cache, 1, 140, model->options());
  std::vector<Tensor> rows = {cached(*model, cache, {{tokens.begin(), tokens.begin() + 70}}, {0})};
  for (int64_t i = 70; i < 140; ++i) rows.push_back(cached(*model, cache, {{tokens[i]}}, {0}));
  EXPECT_LT(distance(at::cat(rows), alone(*model, tokens)), 1e-4);
}

// A cache of keys and values for every layer would have twice the numbers; states rounded to
// bfloat16 at every token would drift from what the learning pass computes.
TEST(Qwen35, RemembersKeysOnlyOfFullAttentionAndStatesInFloat32) {
  const KvCache::Shape shape =
      load_model(golden_folder("qwen3_5"), {.on_meta = true})->shape().cache;
  EXPECT_EQ(shape.numel(), 2 * 2 * 16);
  EXPECT_EQ(shape.state_numel(), 4 * 6 * 8 + 3 * (2 * 12 + 32));
  const KvCache cache(shape, 1, 4, at::TensorOptions(at::kBFloat16));
  EXPECT_EQ(cache.layers[0].state.scalar_type(), at::kFloat);
  EXPECT_EQ(cache.layers[0].keys.numel(), 0);
  EXPECT_FALSE(cache.layers[1].state.defined());
}

TEST(Qwen35, ReadsTheTextPartOfAModelThatSees) {
  Folder folder;
  for (auto& [name, tensor] : folder.tensors) {
    if (name.starts_with("model.")) name = "model.language_model." + name.substr(6);
  }
  folder.tensors.emplace_back("model.visual.patch_embed.proj.weight", at::ones({2, 2}));
  folder.tensors.emplace_back("mtp.fc.weight", at::ones({2, 2}));
  folder.tensors.emplace_back("mtp.norm.weight", at::ones({2}));
  Json inner = folder.config;
  inner.erase("architectures");
  inner["mtp_num_hidden_layers"] = 1;
  folder.config = {{"architectures", {"Qwen3_5ForConditionalGeneration"}},
                   {"model_type", "qwen3_5"},
                   {"text_config", inner}};
  testing::internal::CaptureStderr();
  const std::unique_ptr<Model> found = folder.load();
  const std::string said = testing::internal::GetCapturedStderr();
  for (const char* word : {"1 tensors are left out: the part that sees",
                           "2 tensors are left out: layers for multi-token prediction"}) {
    EXPECT_NE(said.find(word), std::string::npos) << said;
  }
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(at::equal(alone(*found, {3, 4, 5}), alone(*folder.model, {3, 4, 5})));
  EXPECT_EQ(found->config["architectures"][0], "Qwen3_5ForCausalLM");
  EXPECT_EQ(found->config["mtp_num_hidden_layers"], 0);  // what is saved has none
}

// The hub's files have a layer's experts in one tensor, transformers writes them one by one.
TEST(Qwen35, ReadsStackedExperts) {
  Folder folder("qwen3_5_moe");
  std::map<std::string, std::vector<Tensor>> stacks;
  std::vector<std::pair<std::string, Tensor>> others;
  for (const auto& [name, tensor] : folder.tensors) {
    const size_t experts = name.find(".experts.");
    if (experts == std::string::npos) {
      others.emplace_back(name, tensor);
    } else {
      const bool down = name.ends_with("down_proj.weight");
      stacks[name.substr(0, experts) + (down ? ".experts.down_proj" : ".experts.gate_up_proj")]
          .push_back(tensor);
    }
  }
  for (const auto& [name, matrices] : stacks) {  // gate 0, up 0, gate 1, …
    Tensor stack = at::stack(matrices);
    if (name.ends_with("gate_up_proj")) stack = stack.unflatten(0, {-1, 2}).flatten(1, 2);
    others.emplace_back(name, stack);
  }
  folder.tensors = others;
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(at::equal(alone(*folder.load(), {3, 4, 5}), alone(*folder.model, {3, 4, 5})));
  folder.tensors.pop_back();
  EXPECT_THROW(folder.load(), Error);
}

// Without the keys that transformers 5 writes out.
TEST(Qwen35, KnowsTheDefaultsOfItsConfiguration) {
  Folder folder;
  folder.config["rope_parameters"].erase("partial_rotary_factor");
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(at::equal(alone(*folder.load(), {3, 4, 5}), alone(*folder.model, {3, 4, 5})));
  folder.config.erase("layer_types");
  folder.config["full_attention_interval"] = 2;
  EXPECT_TRUE(at::equal(alone(*folder.load(), {3, 4, 5}), alone(*folder.model, {3, 4, 5})));
}

TEST(Qwen35, RefusesWhatItDoesNotCompute) {
  const std::vector<std::pair<std::string, Json>> cases = {
      {"hidden_act", "gelu"},
      {"attn_output_gate", false},
      {"linear_num_key_heads", 3},
      {"linear_conv_kernel_dim", 0},
      {"layer_types", {"linear_attention"}},
      {"layer_types", {"linear_attention", "sliding_attention"}}};
  for (const auto& [key, value] : cases) {
    Json config = read_json_object(golden_folder("qwen3_5") / "config.json");
    config[key] = value;
    try {
      make_model(config, "config.json");
      ADD_FAILURE() << key << " " << value;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
    }
  }
}

}  // namespace
}  // namespace alambic::qwen3_5_test
