// Families whose layers differ: Gemma 4's lists of numbers and ropes, Qwen3.5's linear attention.
// That llama.cpp reads the files was checked with it (docs/formats.md); here, what it was told.
#include <cmath>

#include "alambic/base/files.h"
#include "alambic/io/gguf/transform.h"
#include "alambic/io/quant/decode.h"
#include "tests/io/gguf/gguf_testing.h"

namespace alambic::layers_test {
namespace {

using Json = nlohmann::ordered_json;

fs::path written(const std::string& name) {
  const ModelFolder model = golden(name);
  return written(model.config(), model.tensors());
}

std::vector<float> numbers(const std::vector<TensorView>& tensors, const std::string& name) {
  const auto found = std::ranges::find(tensors, name, &TensorView::name);
  check(found != tensors.end(), "no tensor {}", name);
  return floats_of(*found, "m");
}

// Prevents numbers of one kind of layers in the other's place: llama.cpp would take both.
TEST(GgufLayers, OfGemma4SayWhatEachHas) {
  const GgufFile file = GgufFile::open(written("gemma4"));
  const GgufMetadata& metadata = file.metadata();
  EXPECT_EQ(metadata.numbers("gemma4.attention.sliding_window_pattern"),
            (std::vector<double>{1, 0, 1, 0}));
  EXPECT_EQ(metadata.numbers("gemma4.feed_forward_length"), (std::vector<double>{16, 16, 32, 32}));
  EXPECT_EQ(metadata.integer("gemma4.attention.key_length"), 12);
  EXPECT_EQ(metadata.integer("gemma4.attention.key_length_swa"), 8);
  EXPECT_EQ(metadata.integer("gemma4.rope.dimension_count"), 12);
  EXPECT_EQ(metadata.integer("gemma4.attention.shared_kv_layers"), 2);
  EXPECT_EQ(metadata.integer("gemma4.embedding_length_per_layer_input"), 8);
  EXPECT_EQ(metadata.number("gemma4.rope.freq_base"), 1e6);
  EXPECT_EQ(metadata.number("gemma4.rope.freq_base_swa"), 1e4);
  EXPECT_EQ(numbers(file.tensors(), "rope_freqs.weight"),  // a quarter of 12: one pair
            (std::vector<float>{1, 1e30F, 1e30F, 1e30F, 1e30F, 1e30F}));
  const GgufFile sparse = GgufFile::open(written("gemma4_moe"));
  EXPECT_EQ(sparse.metadata().numbers("gemma4.attention.head_count_kv"),
            (std::vector<double>{2, 1}));
  // Without it llama.cpp bounds logits by 30.
  EXPECT_EQ(sparse.metadata().number("gemma4.final_logit_softcapping"), 0);
  EXPECT_FALSE(
      ModelFolder::open(written("gemma4_moe")).config().contains("final_logit_softcapping"));
}

// The spelling of the authors' files, which have no "per_layer_config".
TEST(GgufLayers, OfGemma4AreAlsoReadInTheAuthorsSpelling) {
  const ModelFolder model = golden("gemma4_moe");
  Json config = model.config();
  config.erase("per_layer_config");
  config["global_head_dim"] = 12;
  config["num_global_key_value_heads"] = 1;
  const ModelFolder back = ModelFolder::open(written(config, model.tensors()));
  EXPECT_EQ(back.config()["per_layer_config"], model.config()["per_layer_config"]);
  EXPECT_EQ(back.config()["attention_k_eq_v"], true);
}

// What transformers and llama.cpp could only guess at.
TEST(GgufLayers, OfGemma4AreRefusedWhereLlamaCppHasNone) {
  const ModelFolder model = golden("gemma4");
  const auto refused = [&](const char* key, const Json& value, std::vector<std::string> words) {
    Json config = model.config();
    config[key] = value;
    words.emplace_back(key);
    expect_refused([&] { written(config, model.tensors()); }, words);
  };
  refused("vocab_size_per_layer_input", 128, {"128", "vocab_size"});
  refused("use_bidirectional_attention", "all", {"\"all\""});
  refused("per_layer_config", {{"1", {{"head_dim", 12}}}}, {"head_dim"});
  refused("layer_types", {"sliding_attention"}, {"4 layers"});
  refused("num_hidden_layers", int64_t{1} << 29, {"num_hidden_layers", "4 layers"});
  refused("num_kv_shared_layers", 4, {"fewer"});
  refused("rope_parameters",
          {{"full_attention", {{"rope_type", "yarn"}, {"rope_theta", 1e6}, {"factor", 2.0}}},
           {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 1e4}}}},
          {"proportional"});
  refused("attention_bias", true, {"false"});
}

// Files that lie about their layers.
TEST(GgufLayers, OfGemma4ThatDoNotFitAreRefused) {
  const GgufFile file = GgufFile::open(written("gemma4"));
  const auto refused = [&](const std::string& key, std::optional<GgufValue> value,
                           std::vector<std::string> words) {
    const fs::path path = with(file, "gemma4." + key, std::move(value));
    words.emplace_back(key);
    expect_refused([&] { ModelFolder::open(path); }, words);
  };
  const auto list = [](std::vector<uint32_t> values) { return GgufArray(std::move(values)); };
  refused("attention.sliding_window_pattern", {}, {"0 entries"});
  refused("attention.sliding_window_pattern", GgufArray(std::vector<bool>{true}), {"1 entries"});
  refused("attention.sliding_window_pattern", uint32_t{2}, {"a list"});
  refused("feed_forward_length", list({16, 16, 32}), {"3 entries"});
  refused("feed_forward_length", list({16, 32, 16, 32}), {"32 in layer 1"});
  refused("feed_forward_length", list({16, 0, 32, 32}), {"a size"});
  refused("attention.head_count_kv", list({2, 2, 1, 2}), {"1 in layer 2"});
  refused("attention.head_count_kv", {}, {"no metadata"});
  refused("attention.shared_kv_layers", uint32_t{4}, {"from 0 to 3"});
  refused("attention.key_length", uint32_t{0}, {"found 0"});
  refused("attention.value_length", uint32_t{8}, {"that of the keys, 12"});
  refused("embedding_length_per_layer_input", uint64_t{1} << 40, {"found 1099511627776"});
  expect_refused([&] { ModelFolder::open(with(file, "gemma4.block_count", uint32_t{1} << 30)); },
                 {"block_count", "1073741824", "4 layers"});
}

TEST(GgufLayers, OfGemma4NeedTheTensorOfTurns) {
  const GgufFile file = GgufFile::open(written("gemma4"));
  const auto turning = [&](const std::vector<float>& factors) {
    GgufTensor tensor = floats("rope_freqs.weight", factors);
    return ModelFolder::open(with(file, "", {}, tensor)).config();
  };
  const auto share = [](const Json& config) {
    return config["rope_parameters"]["full_attention"]["partial_rotary_factor"].get<double>();
  };
  EXPECT_EQ(share(turning({1, 1, 1, 1, 1, 1})), 1);
  EXPECT_EQ(share(turning({1, 1, 1, 1e30F, 1e30F, 1e30F})), 0.5);
  expect_refused([&] { turning({1, 1}); }, {"rope_freqs.weight", "6 floating numbers"});
  expect_refused([&] { turning({1, 8, 1, 1, 1, 1}); }, {"rope_freqs.weight", "found 8 at 1"});
  expect_refused([&] { turning({}); }, {"rope_freqs.weight"});
}

// Prevents pairs of a head that stand still on text: those that no section has.
TEST(GgufLayers, OfQwen35HaveASectionForEveryPair) {
  const auto sections = [](double share) {
    const ModelFolder model = golden("qwen3_5");
    Json config = model.config();
    config["rope_parameters"]["partial_rotary_factor"] = share;
    const fs::path path = written(config, model.tensors());
    EXPECT_FALSE(ModelFolder::open(path).config()["rope_parameters"].contains("mrope_section"));
    return GgufFile::open(path).metadata().numbers("qwen35.rope.dimension_sections");
  };
  EXPECT_EQ(sections(0.25), (std::vector<double>{1, 1, 0, 0}));
  EXPECT_EQ(sections(1), (std::vector<double>{3, 3, 2, 0}));
}

// Two key heads of three value heads each: as many of each, as in the golden model, would not tell
// this order from its reverse.
TEST(GgufLayers, OfLinearAttentionAreNotReorderedBackwards) {
  const std::vector<float> rows = {0, 1, 2, 3, 4, 5};
  const GgufHeads heads = {.delta_net = {.key_heads = 2, .value_heads = 6, .value_width = 1}};
  const auto changed = [&](bool to_gguf) {
    return change_tensor(view_of("a", rows), GgufTransform::value_rows, to_gguf, heads, "m");
  };
  const auto decoded = [](const TransformedTensor& tensor) {
    std::vector<float> found(6);
    decode(tensor.dtype, tensor.bytes, found);
    return found;
  };
  EXPECT_EQ(decoded(changed(true)), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(decoded(changed(false)), (std::vector<float>{0, 2, 4, 1, 3, 5}));
}

// Prevents value heads that read another key head's: two key heads have two of four each, and
// llama.cpp repeats the key heads in turn.
TEST(GgufLayers, OfQwen35HaveTheFirstValueHeadOfEveryKeyHeadFirst) {
  const ModelFolder model = golden("qwen3_5");
  const GgufFile file = GgufFile::open(written("qwen3_5"));
  const std::string there = "model.layers.0.linear_attn.", here = "blk.0.";
  const auto folder = [&](const std::string& name) {
    return numbers(model.tensors(), there + name);
  };
  const auto gguf = [&](const std::string& name) { return numbers(file.tensors(), here + name); };
  constexpr int64_t order[] = {0, 2, 1, 3};  // of the folder's heads
  // Rows of `width` numbers and heads of so many rows, `skip` rows before them.
  const auto expect_rows = [&](const std::string& name, const std::string& ours, int64_t width,
                               int64_t rows, int64_t skip) {
    const std::vector<float> from = folder(name), to = gguf(ours);
    ASSERT_EQ(from.size(), to.size()) << name;
    for (int64_t i = 0; i < skip * width; ++i) EXPECT_EQ(to[i], from[i]) << name;
    for (int64_t head = 0; head < 4; ++head) {
      for (int64_t i = 0; i < rows * width; ++i) {
        EXPECT_EQ(to[(skip + head * rows) * width + i],
                  from[(skip + order[head] * rows) * width + i])
            << name << " head " << head;
      }
    }
  };
  expect_rows("in_proj_qkv.weight", "attn_qkv.weight", 32, 8, 24);
  expect_rows("conv1d.weight", "ssm_conv1d.weight", 4, 8, 24);
  expect_rows("in_proj_z.weight", "attn_gate.weight", 32, 8, 0);
  expect_rows("in_proj_a.weight", "ssm_alpha.weight", 32, 1, 0);
  expect_rows("in_proj_b.weight", "ssm_beta.weight", 32, 1, 0);
  expect_rows("dt_bias", "ssm_dt.bias", 1, 1, 0);
  const std::vector<float> log = folder("A_log"), decay = gguf("ssm_a");
  const std::vector<float> out = folder("out_proj.weight"), columns = gguf("ssm_out.weight");
  for (int64_t head = 0; head < 4; ++head) {
    EXPECT_EQ(decay[head], -std::exp(log[order[head]]));
    for (int64_t i = 0; i < 32 * 8; ++i) {
      const int64_t row = i / 8 * 32, column = i % 8;
      EXPECT_EQ(columns[row + head * 8 + column], out[row + order[head] * 8 + column]);
    }
  }
}

TEST(GgufLayers, OfQwen35ThatDoNotFitAreRefused) {
  const GgufFile file = GgufFile::open(written("qwen3_5"));
  const auto refused = [&](const std::string& key, std::optional<GgufValue> value,
                           const std::vector<std::string>& words) {
    const fs::path path = with(file, "qwen35." + key, std::move(value));
    expect_refused([&] { ModelFolder::open(path); }, words);
  };
  refused("ssm.inner_size", uint32_t{33}, {"ssm.inner_size", "4 heads"});
  refused("ssm.inner_size", uint32_t{4 << 20}, {"blk.0.", "does not fit"});
  refused("ssm.time_step_rank", uint32_t{0}, {"ssm.time_step_rank", "0"});
  refused("ssm.group_count", uint32_t{3}, {"blk.0.", "does not fit"});
  refused("ssm.group_count", uint32_t{0}, {"blk.0.", "does not fit"});
  refused("full_attention_interval", uint32_t{0}, {"full_attention_interval", "0"});
  refused("nextn_predict_layers", uint32_t{2}, {"nextn_predict_layers", "2"});
  refused("block_count", uint32_t{1} << 30, {"block_count", "1073741824"});
  refused("attention.recurrent_layers", GgufArray(std::vector<bool>{true}), {"recurrent_layers"});
  expect_refused(
      [&] {
        // Made when it is asked for.
        const auto model =
            ModelFolder::open(with(file, "", {}, floats("blk.0.ssm_a", {-1, -1, 0, -1})));
        for (const TensorView& tensor : model.tensors()) tensor.bytes.span();
      },
      {"blk.0.ssm_a", "below 0"});
  const ModelFolder model = golden("qwen3_5");
  Json config = model.config();
  config["layer_types"] = {"full_attention", "linear_attention"};
  expect_refused([&] { written(config, model.tensors()); }, {"layer_types", "every layer"});
}

// Of models that also see, and files of the hub with stacked experts: what is written is the file
// of the text model.
TEST(GgufLayers, OfWholeModelsAreTheTextParts) {
  const ModelFolder model = golden("qwen3_5_moe");
  Json config = {{"architectures", {"Qwen3_5MoeForConditionalGeneration"}},
                 {"model_type", "qwen3_5_moe"},
                 {"text_config", model.config()}};
  std::vector<TensorView> tensors;
  std::vector<std::vector<std::byte>> storage;
  storage.reserve(4);
  const auto stacked = [&](const std::string& block, std::vector<const char*> names) {
    storage.emplace_back();
    for (int e = 0; e < 6; ++e) {
      for (const char* name : names) {
        const auto part = std::ranges::find(
            model.tensors(), fmt::format("{}.{}.{}.weight", block, e, name), &TensorView::name);
        storage.back().insert(storage.back().end(), part->bytes.begin(), part->bytes.end());
      }
    }
    return std::span<const std::byte>(storage.back());
  };
  for (const std::string layer : {"0", "1"}) {
    const std::string block = "model.layers." + layer + ".mlp.experts";
    const std::string name = "model.language_model.layers." + layer + ".mlp.experts.";
    tensors.push_back({.name = name + "gate_up_proj",
                       .dtype = Dtype::F32,
                       .shape = {6, 24, 24},
                       .bytes = stacked(block, {"gate_proj", "up_proj"})});
    tensors.push_back({.name = name + "down_proj",
                       .dtype = Dtype::F32,
                       .shape = {6, 24, 12},
                       .bytes = stacked(block, {"down_proj"})});
  }
  for (TensorView tensor : model.tensors()) {
    if (tensor.name.find(".experts.") != std::string::npos) continue;
    if (tensor.name.starts_with("model.")) {
      tensor.name = "model.language_model." + tensor.name.substr(6);
    }
    tensors.push_back(tensor);
  }
  tensors.push_back(model.tensors()[0]);
  tensors.back().name = "model.visual.patch_embed.proj.weight";
  tensors.push_back(model.tensors()[0]);
  tensors.back().name = "mtp.fc.weight";
  const std::string found = read_file(written(config, tensors));
  EXPECT_EQ(found, read_file(written("qwen3_5_moe")));
}

}  // namespace
}  // namespace alambic::layers_test
