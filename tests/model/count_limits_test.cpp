// A config.json or a GGUF file that claims 10^9 layers, experts, heads, … of a model that has two:
// `logits` and `check` once built them for minutes, or were killed for memory, before they looked
// at the weights. Here every whole number of a configuration is tried.
#include "alambic/io/count_limits.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <set>

#include "alambic/base/files.h"
#include "alambic/base/json_object.h"
#include "alambic/io/gguf/gguf.h"
#include "alambic/io/gguf/model.h"
#include "alambic/io/model_folder.h"
#include "alambic/model/families.h"
#include "alambic/model/load.h"
#include "tests/golden_models.h"

namespace alambic::count_limits_test {
namespace {

constexpr int64_t claimed = 1'000'000'000;

// No tensor tells them, and nothing is built by them: positions, tokens, comparisons with the
// number of a layer or of a position.
const std::set<std::string> free_keys = {"max_position_embeddings",
                                         "original_max_position_embeddings",
                                         "sliding_window",
                                         "_sliding_window_pattern",
                                         "max_window_layers",
                                         "first_k_dense_replace",
                                         "no_rope_layer_interval",
                                         "decoder_sparse_step",
                                         "num_nextn_predict_layers",
                                         "index_topk",
                                         "bos_token_id",
                                         "eos_token_id",
                                         "pad_token_id",
                                         "pretraining_tp",
                                         "query_pre_attn_scalar"};

// Keys that some families write and do not read.
const std::set<std::string> unread_keys = {
    "head_dim",      "qk_head_dim",         "qk_rope_head_dim",  "num_experts",
    "top_k_experts", "num_experts_per_tok", "intermediate_size", "moe_intermediate_size",
    "n_group",       "topk_group",          "num_local_experts", "vocab_size_per_layer_input"};

struct Outcome {
  std::string error;  // "": none
  double seconds = 0;
};

// Error of loading a model on meta; a hang ends the test's process instead of stalling it.
template <class Load>
Outcome outcome_of(const Load& load) {
  alarm(60);
  const auto start = std::chrono::steady_clock::now();
  Outcome outcome;
  try {
    load();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input) << error.what();
    outcome.error = error.what();
  }
  alarm(0);
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return outcome;
}

void expect_quick(const Outcome& outcome, const std::string& key) {
  EXPECT_LT(outcome.seconds, 5) << key << ": " << outcome.error;
}

bool is_count(const Json& value) { return value.is_number_integer(); }

struct Counts : testing::TestWithParam<std::string> {
  fs::path folder = fs::path(testing::TempDir()) / ("alambic_counts_" + GetParam());
  Json config = read_json_object(golden_folder(GetParam()) / "config.json");

  void SetUp() override {
    fs::remove_all(folder);
    fs::create_directories(folder);
    for (const auto& entry : fs::directory_iterator(golden_folder(GetParam()))) {
      if (entry.path().filename() != "golden.safetensors") {
        fs::copy(entry.path(), folder / entry.path().filename());
      }
    }
  }
  void TearDown() override { fs::remove_all(folder); }

  Outcome with(const std::string& key, const Json& value) const {
    Json changed = config;
    changed[key] = value;
    write_file(folder / "config.json", changed.dump());
    return outcome_of([&] { load_model(folder, {.on_meta = true}); });
  }
};

TEST_P(Counts, BeyondTheTensorsAreRefusedAtOnceWithKeyAndValue) {
  for (const auto& [key, value] : config.items()) {
    if (!is_count(value)) continue;
    const Outcome outcome = with(key, claimed);
    expect_quick(outcome, key);
    // Latent attention has no key/value heads.
    const bool unread = unread_keys.contains(key) ||
                        (config.contains("kv_lora_rank") && key == "num_key_value_heads");
    if (free_keys.contains(key) || (outcome.error.empty() && unread)) continue;
    // A key of two spellings is told by the family's own.
    const std::string name =
        key == "num_local_experts" && config["model_type"] == "qwen3_moe" ? "num_experts" : key;
    EXPECT_NE(outcome.error.find("\"" + name + "\" is 1000000000"), std::string::npos)
        << key << ": " << outcome.error;
  }
}

// A number that only one more layer than there is makes wrong is refused by name as well, not by
// the missing tensors.
TEST_P(Counts, OfOneLayerTooManyAreRefused) {
  for (const char* key : {"num_hidden_layers", "n_layer"}) {
    if (!config.contains(key)) continue;
    const int64_t layers = config[key];
    const Outcome outcome = with(key, layers + 1);
    EXPECT_NE(outcome.error.find(fmt::format("are of {} layers", layers)), std::string::npos)
        << outcome.error;
  }
}

// Numbers that an int64 does not hold, and those at its ends.
TEST_P(Counts, AtTheEndsOfIntegersAreRefusedOrIgnored) {
  for (const auto& [key, value] : config.items()) {
    if (!is_count(value)) continue;
    for (const Json& extreme :
         {Json(std::numeric_limits<uint64_t>::max()), Json(std::numeric_limits<int64_t>::max()),
          Json(std::numeric_limits<int64_t>::min()), Json(int64_t{1} << 31)}) {
      expect_quick(with(key, extreme), key);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, Counts, testing::ValuesIn(golden_models()), golden_name);

// Without files there is a bound all the same, and what a machine has no memory for is not begun.
TEST(CountsWithoutFiles, HaveBounds) {
  for (const char* key : {"num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size",
                          "num_attention_heads", "head_dim"}) {
    Json config = read_json_object(golden_folder("llama") / "config.json");
    config[key] = claimed;
    const Outcome outcome = outcome_of([&] { make_model(config, "config.json"); });
    expect_quick(outcome, key);
    EXPECT_NE(outcome.error.find(std::string("\"") + key + "\" is 1000000000"), std::string::npos)
        << outcome.error;
  }
  Json config = read_json_object(golden_folder("llama") / "config.json");
  config["vocab_size"] = 1 << 24;
  config["hidden_size"] = 1 << 20;
  config["head_dim"] = 8;
  const Outcome outcome =
      outcome_of([&] { init_weights(*make_model(config, "config.json"), 1, {}); });
  expect_quick(outcome, "memory");
  EXPECT_NE(outcome.error.find("model.embed_tokens.weight [16777216, 1048576]"), std::string::npos)
      << outcome.error;
}

struct GgufCounts : testing::TestWithParam<const char*> {};

// The 32 bits of an integer of the metadata, in the file's bytes.
void claim(std::string& file, const std::string& key) {
  const size_t at = file.find(key) + key.size() + sizeof(uint32_t);
  const auto value = static_cast<uint32_t>(claimed);
  std::memcpy(file.data() + at, &value, sizeof value);
}

TEST_P(GgufCounts, BeyondTheTensorsAreRefusedAtOnceWithKeyAndValue) {
  const ModelFolder model = ModelFolder::open(golden_folder(GetParam()));
  const fs::path file =
      fs::path(testing::TempDir()) / fmt::format("alambic_counts_{}.gguf", GetParam());
  write_gguf_model({file}, model.config(), "m", model.tensors(), *gguf_type_named("f32"),
                   GgufMetadata("m", {{"tokenizer.ggml.model", std::string("no_vocab")}}));
  const std::string bytes = read_file(file);
  const std::set<std::string> told = {
      "block_count",  "embedding_length",  "feed_forward_length",       "attention.head_count",
      "expert_count", "expert_used_count", "expert_feed_forward_length"};
  size_t found = 0;
  const GgufFile opened = GgufFile::open(file);
  for (const auto& [key, value] : opened.metadata().items()) {
    if (!std::holds_alternative<uint32_t>(value)) continue;
    std::string changed = bytes;
    claim(changed, key);
    write_file(file, changed);
    const Outcome outcome = outcome_of([&] { load_model(file, {.on_meta = true}); });
    expect_quick(outcome, key);
    const std::string end = key.substr(key.find('.') + 1);
    if (!told.contains(end)) continue;
    ++found;
    EXPECT_NE(outcome.error.find("metadata " + key + " is 1000000000, but"), std::string::npos)
        << outcome.error;
  }
  EXPECT_GE(found, 3u);
  fs::remove(file);
}

INSTANTIATE_TEST_SUITE_P(All, GgufCounts,
                         testing::Values("llama3", "mixtral", "gpt2", "gpt_neox", "qwen3_5_moe",
                                         "gemma4_moe", "deepseek_v3"),
                         [](const auto& info) { return std::string(info.param); });

// `convert` builds no model: what it loops over is bounded too.
TEST(ConvertedCounts, BeyondTheTensorsAreRefused) {
  const ModelFolder model = ModelFolder::open(golden_folder("llama3"));
  for (const char* key : {"num_hidden_layers", "head_dim", "intermediate_size"}) {
    Json config = model.config();
    config[key] = claimed;
    const Outcome outcome = outcome_of([&] {
      write_gguf_model({fs::path(testing::TempDir()) / "alambic_counts.gguf"}, config, "m",
                       model.tensors(), *gguf_type_named("f32"), GgufMetadata("m"));
    });
    expect_quick(outcome, key);
    EXPECT_NE(outcome.error.find(std::string("\"") + key + "\" is 1000000000"), std::string::npos)
        << outcome.error;
  }
}

}  // namespace
}  // namespace alambic::count_limits_test
