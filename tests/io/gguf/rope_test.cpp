// Rotary settings of GGUF files, as llama.cpp's load_hparams and llama-context.cpp take them.
#include <cmath>

#include "alambic/io/gguf/llama_cpp_limits.h"
#include "tests/io/gguf/gguf_testing.h"

namespace alambic::rope_test {
namespace {

using Json = nlohmann::ordered_json;
using Items = std::vector<std::pair<std::string, GgufValue>>;

// "rope_parameters" of a file of `name` with other metadata and tensors.
Json rope_of(const std::string& name, const Items& items,
             const std::vector<GgufTensor>& tensors = {}) {
  const ModelFolder model = golden(name);
  Json config = model.config();
  config["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 1e4}};
  fs::path file = written(config, model.tensors());
  for (const auto& [key, value] : items) file = with(GgufFile::open(file), key, value);
  for (const GgufTensor& tensor : tensors) file = with(GgufFile::open(file), "", {}, tensor);
  return ModelFolder::open(file).config().at("rope_parameters");
}

const Json plain = {{"rope_type", "default"}, {"rope_theta", 1e4}};

Json linear(double factor) {
  return {{"rope_type", "linear"}, {"rope_theta", 1e4}, {"factor", factor}};
}

// Prevents a factor without a type, or under the name of 2023, from being passed over: 2.7 standard
// deviations of the logits.
TEST(GgufRope, AFactorIsLinearUnlessTheTypeIsAnother) {
  EXPECT_EQ(rope_of("llama", {}), plain);
  EXPECT_EQ(rope_of("llama", {{"llama.rope.scaling.factor", 4.0F}}), linear(4));
  EXPECT_EQ(rope_of("llama", {{"llama.rope.scale_linear", 4.0F}}), linear(4));
  EXPECT_EQ(
      rope_of("llama", {{"llama.rope.scale_linear", 4.0F}, {"llama.rope.scaling.factor", 2.0F}}),
      linear(2));
  EXPECT_EQ(rope_of("llama", {{"llama.rope.scaling.factor", 0.0F}}), plain);
  EXPECT_EQ(rope_of("llama", {{"llama.rope.scaling.type", std::string("none")},
                              {"llama.rope.scaling.factor", 4.0F}}),
            plain);
  EXPECT_EQ(rope_of("qwen3", {{"qwen3.rope.scale_linear", 8.0F}})["rope_type"], "linear");
  EXPECT_EQ(rope_of("gpt_neox", {{"gptneox.rope.scaling.factor", 8.0F}})["factor"], 8);
}

// Prevents the second factor of YaRN, by which llama.cpp multiplies its own, from being lost.
TEST(GgufRope, TheAttentionFactorIsHonored) {
  const Json yarn = rope_of("llama", {{"llama.rope.scaling.type", std::string("yarn")},
                                      {"llama.rope.scaling.factor", 4.0F},
                                      {"llama.rope.scaling.attn_factor", 1.5F}});
  EXPECT_NEAR(yarn["attention_factor"].get<double>(), 1.5 * (1 + 0.1 * std::log(4)), 1e-6);
  // Of a type that has none in transformers: all frequencies divided alike.
  const Json other = rope_of(
      "llama", {{"llama.rope.scaling.factor", 4.0F}, {"llama.rope.scaling.attn_factor", 1.5F}});
  EXPECT_EQ(other["rope_type"], "longrope");
  EXPECT_EQ(other["attention_factor"], 1.5);
  EXPECT_EQ(other["short_factor"], Json(std::vector<double>(4, 4)));
  EXPECT_EQ(other["long_factor"], other["short_factor"]);
}

// Prevents frequencies of a tensor from being refused, or taken for those of llama3: 2.7 standard
// deviations.
TEST(GgufRope, FrequenciesOfATensorAreTheTensors) {
  const std::vector<float> own = {1, 1.5F, 3.25F, 40};
  const GgufTensor tensor = floats("rope_freqs.weight", own);
  const Json rope = rope_of("llama", {}, {tensor});
  EXPECT_EQ(rope["rope_type"], "longrope");
  EXPECT_EQ(rope["short_factor"], Json(own));
  EXPECT_EQ(rope["long_factor"], Json(own));
  EXPECT_EQ(rope["attention_factor"], 1.0);
  EXPECT_EQ(rope["original_max_position_embeddings"],
            golden("llama").config()["max_position_embeddings"]);
  // llama.cpp divides by both.
  const Json both = rope_of("llama", {{"llama.rope.scaling.factor", 2.0F}}, {tensor});
  EXPECT_EQ(both["short_factor"], Json(std::vector<double>{2, 3, 6.5, 80}));
  EXPECT_EQ(rope_of("llama", {}, {floats("rope_freqs.weight", {1, 1, 1, 1})}), plain);
}

// Phi-3's of 128 k, Phi-3.5 and Phi-4-mini.
TEST(GgufRope, LongAndShortFactorsAreLongrope) {
  const ModelFolder model = golden("phi3");
  const fs::path file = written(model.config(), model.tensors());
  const GgufFile there = GgufFile::open(file);
  EXPECT_NE(tensor_named(there.tensors(), "rope_factors_long.weight"), nullptr);
  EXPECT_NE(tensor_named(there.tensors(), "rope_factors_short.weight"), nullptr);
  const Json wanted = model.config()["rope_parameters"];
  const Json config = ModelFolder::open(file).config(), found = config["rope_parameters"];
  for (const char* key : {"rope_type", "short_factor", "long_factor", "rope_theta",
                          "original_max_position_embeddings"}) {
    EXPECT_EQ(found[key], wanted[key]) << key;
  }
  EXPECT_EQ(config["original_max_position_embeddings"], wanted["original_max_position_embeddings"]);
  EXPECT_NEAR(found["attention_factor"].get<double>(),
              there.metadata().number("phi3.rope.scaling.attn_factor").value_or(1), 1e-6);
  expect_refused(
      [&] { ModelFolder::open(with(there, "", {}, GgufTensor{"rope_factors_long.weight"})); },
      {"rope_factors_long.weight", "rope_factors_short.weight"});
}

// Prevents a stretch that transformers has and llama.cpp can express from being refused.
TEST(GgufRope, ComesBack) {
  const ModelFolder model = golden("llama");
  const std::vector<double> factors = {1, 1.25, 4.5, 8}, others = {1, 1.5, 6, 16};
  const Json settings[] = {
      linear(4),
      {{"rope_type", "yarn"},
       {"rope_theta", 1e4},
       {"factor", 4.0},
       {"attention_factor", 1.25},
       {"original_max_position_embeddings", 16}},
      {{"rope_type", "longrope"},
       {"rope_theta", 1e4},
       {"short_factor", factors},
       {"long_factor", factors},
       {"attention_factor", 1.25},
       {"original_max_position_embeddings", model.config()["max_position_embeddings"]}},
      {{"rope_type", "longrope"},
       {"rope_theta", 1e4},
       {"short_factor", factors},
       {"long_factor", others},
       {"attention_factor", 1.0},
       {"original_max_position_embeddings", 16}}};
  for (const Json& rope : settings) {
    Json config = model.config();
    config["rope_parameters"] = rope;
    const Json back = ModelFolder::open(written(config, model.tensors())).config();
    EXPECT_EQ(back["rope_parameters"], rope) << rope;
  }
}

// Prevents a file that llama.cpp does not load, or reads otherwise, from being written without a
// word.
TEST(GgufRope, WhatLlamaCppHasNotIsSaid) {
  const auto limits = [](const std::string& name, const Json& rope) {
    Json config = golden(name).config();
    config["rope_parameters"] = rope;
    return llama_cpp_limits(config, "m").size();
  };
  const Json llama3 = {{"rope_type", "llama3"},
                       {"factor", 8},
                       {"low_freq_factor", 1},
                       {"high_freq_factor", 4},
                       {"original_max_position_embeddings", 16}};
  EXPECT_EQ(limits("llama", llama3), 0U);
  EXPECT_EQ(limits("qwen3", llama3), 1U);
  const auto yarn = [](double fast) {
    return Json{{"rope_type", "yarn"},
                {"factor", 2},
                {"original_max_position_embeddings", 16},
                {"beta_fast", fast},
                {"beta_slow", nullptr}};
  };
  EXPECT_EQ(limits("llama", yarn(32)), 0U);
  EXPECT_EQ(limits("llama", yarn(16)), 1U);
}

TEST(GgufRope, WhatIsNotReadIsNamed) {
  expect_refused(
      [] {
        rope_of("llama", {{"llama.rope.scaling.type", std::string("su")}});
      },
      {"llama.rope.scaling.type", "su", "none, linear, yarn, longrope"});
  expect_refused(
      [] {
        rope_of("llama", {{"llama.rope.scaling.factor", -1.0F}});
      },
      {"llama.rope.scaling.factor", "above 0", "-1"});
  expect_refused(
      [] {
        rope_of("llama", {{"llama.rope.freq_base", 0.0F}});
      },
      {"llama.rope.freq_base", "above 0"});
  expect_refused(
      [] {
        rope_of("llama", {}, {floats("rope_freqs.weight", {1, 2})});
      },
      {"rope_freqs.weight", "4 floating numbers", "2 of F32"});
  expect_refused(
      [] {
        rope_of("llama", {}, {floats("rope_freqs.weight", {1, 1, 1, 0})});
      },
      {"rope_freqs.weight", "above 0"});
  expect_refused(
      [] {
        rope_of(
            "llama",
            {{"llama.rope.scaling.type", std::string("yarn")}, {"llama.rope.scaling.factor", 2.0F}},
            {floats("rope_freqs.weight", {1, 1, 1, 2})});
      },
      {"yarn", "tensor of frequencies"});
}

}  // namespace
}  // namespace alambic::rope_test
