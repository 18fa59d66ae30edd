// Every key that llama.cpp reads is read, held or has no effect: by key and architecture.
#include "alambic/io/gguf/metadata_keys.h"

#include <limits>

#include "alambic/base/files.h"
#include "alambic/base/random.h"
#include "alambic/io/gguf/config.h"
#include "alambic/io/gguf/types.h"
#include "tests/docs_list.h"
#include "tests/io/gguf/gguf_testing.h"

namespace alambic::metadata_keys_test {
namespace {

using Json = nlohmann::ordered_json;

// A golden model of each architecture, without what llama.cpp cannot express.
const std::map<std::string, std::string> models = {
    {"llama", "mixtral"},         {"smollm3", "smollm3"},
    {"qwen2", "qwen2"},           {"qwen3", "qwen3"},
    {"qwen3moe", "qwen3_moe"},    {"qwen35", "qwen3_5"},
    {"qwen35moe", "qwen3_5_moe"}, {"gemma2", "gemma2"},
    {"gemma3", "gemma3"},         {"gemma4", "gemma4_moe"},
    {"olmo2", "olmo2"},           {"phi3", "phi3"},
    {"gptneox", "gpt_neox"},      {"gpt2", "gpt2"},
    {"deepseek2", "deepseek_v3"}, {"deepseek32", "deepseek_v32"},
    {"gpt-oss", "gpt_oss"}};

fs::path file_of_family(const std::string& architecture) {
  const std::string& name = models.at(architecture);
  const ModelFolder model = golden(name);
  Json config = model.config();
  std::vector<TensorView> tensors = model.tensors();
  if (name == "qwen2" || name == "smollm3") {
    config["use_sliding_window"] = false;
    config.erase("layer_types");
    config["no_rope_layers"] = {1, 1};
  }
  if (name == "gemma2" || name == "gemma3") config["query_pre_attn_scalar"] = config["head_dim"];
  if (name == "gpt_oss") config["swiglu_limit"] = 7.0;
  if (name == "qwen3_moe") {  // its first layer has no experts
    config["mlp_only_layers"] = Json::array();
    std::erase_if(tensors, [](const TensorView& tensor) {
      return tensor.name.starts_with("model.layers.0.mlp.");
    });
  }
  return written(config, tensors);
}

// What a key of llama.cpp could be given; which of them fits is found by trying.
std::vector<GgufValue> values_of(std::string_view key) {
  if (key == "rope.scaling.type") return {std::string("yarn"), std::string("other")};
  if (key.starts_with("classifier.")) return {std::string("x")};
  if (key == "rope.dimension_sections") return {GgufArray(std::vector<int32_t>{3, 1, 0, 0})};
  if (key == "attention.recurrent_layers") return {GgufArray(std::vector<bool>(8, true))};
  return {uint32_t{3},        3.5F, true, false, GgufArray(std::vector<bool>(8, true)),
          std::string("word")};
}

// A model's metadata and tensors, from which configurations are made without a file.
struct Family {
  explicit Family(const std::string& architecture)
      : file(GgufFile::open(file_of_family(architecture))),
        architecture(gguf_architecture(architecture, "m")) {}

  // With other values for some keys; none: without the key.
  Json config(const std::vector<std::pair<std::string, std::optional<GgufValue>>>& others) const {
    GgufMetadata metadata("m");
    for (const auto& [key, value] : others) {
      if (value) metadata.add(key, *value);
    }
    for (const auto& [key, value] : file.metadata().items()) {
      const auto is_it = [&](const auto& other) { return other.first == key; };
      if (std::ranges::none_of(others, is_it)) metadata.add(key, value);
    }
    return config_of_gguf(architecture, metadata, file.tensors());
  }

  GgufFile file;
  const GgufArchitecture& architecture;
};

using Items = std::vector<std::pair<std::string, std::optional<GgufValue>>>;

// What must be so for a key to count.
Items conditions(const std::string& prefix, std::string_view key) {
  const std::string scaling = prefix + "rope.scaling.";
  if (key == "rope.scale_linear") {
    return {{scaling + "factor", {}}, {scaling + "type", {}}};
  }
  const bool own = prefix == "gemma4." || prefix == "phi3.";  // none, longrope
  if (key != "rope.scaling.original_context_length" || own) return {};
  return {{scaling + "factor", 4.0F}, {scaling + "type", std::string("yarn")}};
}

// Prevents a key of llama.cpp's from being passed over: another value of one that is read changes
// the configuration or is refused, of one that is held is refused.
TEST(GgufMetadataKeys, EachOfLlamaCppCounts) {
  for (const auto& [architecture, model] : models) {
    const Family family(architecture);
    for (const GgufKey& key : gguf_keys()) {
      if (gguf_key(architecture, key.name) != &key) continue;
      const std::string name = architecture + "." + std::string(key.name);
      Items items = conditions(architecture + ".", key.name);
      const Json config = family.config(items);
      const GgufValue* there = family.file.metadata().find(name);
      items.emplace_back(name, std::nullopt);
      bool counts = false;
      for (const GgufValue& value : values_of(key.name)) {
        if (there != nullptr && *there == value) continue;
        items.back().second = value;
        try {
          const bool other = family.config(items) != config;
          counts |= other;
          EXPECT_FALSE(key.use == GgufKeyUse::held && other) << name;
        } catch (const Error& error) {
          EXPECT_EQ(error.exit(), Exit::input) << name << ": " << error.what();
          counts = true;
        }
      }
      EXPECT_EQ(counts, key.use != GgufKeyUse::none) << name;
    }
  }
}

// Any values, of any type, in some keys at once. --gtest_shuffle draws others, with --gtest_repeat
// others each time.
void expect_read_or_refused(uint64_t draws) {
  const auto seed = static_cast<uint64_t>(testing::UnitTest::GetInstance()->random_seed());
  const float nothing = std::numeric_limits<float>::quiet_NaN();
  const std::vector<GgufValue> pool = {uint32_t{0},
                                       uint32_t{1},
                                       uint32_t{7},
                                       uint32_t{1} << 31,
                                       int32_t{-1},
                                       ~uint64_t{0},
                                       0.0F,
                                       0.5F,
                                       -2.0F,
                                       3e38F,
                                       nothing,
                                       true,
                                       false,
                                       std::string("yarn"),
                                       std::string("longrope"),
                                       std::string(),
                                       GgufArray(std::vector<uint32_t>{}),
                                       GgufArray(std::vector<int32_t>{2, 0, -1}),
                                       GgufArray(std::vector<bool>(64, true)),
                                       GgufArray(std::vector<std::string>{"a"}),
                                       GgufArray(std::vector<float>{nothing, 1})};
  std::map<std::string, Family> families;
  for (const auto& [architecture, model] : models) families.emplace(architecture, architecture);
  for (uint64_t i = 0; i < draws; ++i) {
    const auto words = random_words({.seed = 2 * seed, .sample = i});
    const auto& [architecture, family] = *std::next(families.begin(), words[0] % families.size());
    Items items;
    for (uint32_t k = 0; k < 1 + words[1] % 3; ++k) {
      const auto more = random_words({.seed = 2 * seed + 1, .sample = i, .position = k});
      const GgufKey& key = gguf_keys()[more[0] % gguf_keys().size()];
      const std::string name = architecture + "." + std::string(key.name);
      const auto is_it = [&](const auto& item) { return item.first == name; };
      if (std::ranges::none_of(items, is_it)) items.emplace_back(name, pool[more[1] % pool.size()]);
    }
    try {
      family.config(items);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input) << i << " " << items[0].first << ": " << error.what();
    }
  }
}

TEST(GgufMetadataKeys, AnyValuesAreReadOrRefused) { expect_read_or_refused(2'000); }
TEST(GgufMetadataKeysSlow, AnyValuesAreReadOrRefused) { expect_read_or_refused(1'000'000); }

// Prevents lists in the documentation that are not those of the reader.
TEST(GgufDocsLists, AreTheReaders) {
  const std::string page = "docs/formats.md";
  const auto keys = [](GgufKeyUse use) {
    std::vector<std::string> names;
    for (const GgufKey& key : gguf_keys()) {
      const bool known = std::ranges::find(names, key.name) != names.end();
      if (key.use == use && !known) names.emplace_back(key.name);
    }
    return names;
  };
  expect_docs_list(page, "GGUF keys: read", keys(GgufKeyUse::read));
  expect_docs_list(page, "GGUF keys: held", keys(GgufKeyUse::held));
  expect_docs_list(page, "GGUF keys: no effect", keys(GgufKeyUse::none));
  std::vector<std::string> types, architectures;
  for (uint32_t number = 0; number < 64; ++number) {
    if (const auto dtype = dtype_of_ggml(number)) types.push_back(name_of(*dtype));
  }
  expect_docs_list(page, "GGUF types", types, "", " ");
  for (const GgufArchitecture* family : gguf_architectures()) {
    const bool known = std::ranges::find(architectures, family->name) != architectures.end();
    if (!known) architectures.emplace_back(family->name);
  }
  expect_docs_list(page, "GGUF architectures", architectures, "");
}

// Prevents a sharper reading than llama.cpp's: keys that it does not know say nothing.
TEST(GgufMetadataKeys, OthersSayNothing) {
  const Family family("llama");
  for (const char* key : {"llama.rope.scaling.yarn_ext_factor", "llama.new.key", "other.causal"}) {
    EXPECT_EQ(gguf_key("llama", std::string_view(key).substr(6)), nullptr) << key;
    EXPECT_EQ(family.config({{key, 0.5F}}), family.config({})) << key;
  }
}

// Prevents windows in other layers than the file says.
TEST(GgufMetadataKeys, TheOrderOfWindowsIsTheFiles) {
  const fs::path file = file_of_family("gemma3");
  const std::string key = "gemma3.attention.sliding_window_pattern";
  const GgufFile opened = GgufFile::open(file);
  EXPECT_EQ(opened.metadata().numbers(key), (std::vector<double>{1, 0}));
  const auto types = [&](std::optional<GgufValue> value) {
    return ModelFolder::open(with(opened, key, std::move(value))).config()["layer_types"];
  };
  const Json slides = "sliding_attention", full = "full_attention";
  EXPECT_EQ(types({}), Json::array({slides, slides}));  // every sixth is full
  EXPECT_EQ(types(uint32_t{2}), Json::array({slides, full}));
  EXPECT_EQ(types(uint32_t{1}), Json::array({full, full}));
  EXPECT_EQ(types(uint32_t{0}), Json::array({slides, slides}));
  EXPECT_EQ(types(GgufArray(std::vector<bool>{false, true})), Json::array({full, slides}));
  expect_refused([&] { types(GgufArray(std::vector<bool>{true})); }, {key, "2 layers", "1"});
}

// Gemma 2 without its caps has those of llama.cpp's code, not none.
TEST(GgufMetadataKeys, Gemma2HasCapsWithoutAKey) {
  fs::path file = file_of_family("gemma2");
  for (const char* key : {"gemma2.attn_logit_softcapping", "gemma2.final_logit_softcapping"}) {
    file = with(GgufFile::open(file), key, {});
  }
  const Json config = ModelFolder::open(file).config();
  EXPECT_EQ(config["attn_logit_softcapping"], 50);
  EXPECT_EQ(config["final_logit_softcapping"], 30);
}

}  // namespace
}  // namespace alambic::metadata_keys_test
