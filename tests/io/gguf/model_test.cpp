// Models between the two layouts, on the folders that transformers wrote (tests/golden/README.md).
// transformers 5.23 itself reads the GGUF file of `llama` and gives the same logits to the bit.
#include "alambic/io/gguf/model.h"

#include <map>
#include <set>

#include "alambic/io/gguf/transform.h"
#include "alambic/io/model_folder.h"
#include "alambic/io/quant/decode.h"
#include "alambic/io/quant/encode.h"
#include "tests/io/io_testing.h"

namespace alambic::model_test {
namespace {

using namespace std::string_literals;
using Json = nlohmann::ordered_json;

fs::path golden(const std::string& name) {
  return fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden" / name;
}

GgufMetadata no_tokenizer() {
  GgufMetadata metadata;
  metadata.add("tokenizer.ggml.model", std::string("no_vocab"));
  return metadata;
}

// What llama.cpp cannot express is taken out of the small models' configurations.
Json plain_config(const std::string& name, Json config) {
  if (name == "qwen2" || name == "smollm3") {
    config["use_sliding_window"] = false;
    config["layer_types"] = {"full_attention", "full_attention"};
    config["no_rope_layers"] = {1, 1};
  }
  if (name == "qwen3_moe") config["mlp_only_layers"] = Json::array();
  if (name == "gemma2" || name == "gemma3") config["query_pre_attn_scalar"] = config["head_dim"];
  if (name == "gpt_oss") config["swiglu_limit"] = 7.0;
  if (name == "deepseek_v2") config["attention_bias"] = false;
  return config;
}

// Equal whatever the order of the keys.
nlohmann::json sorted(const Json& json) { return nlohmann::json::parse(json.dump()); }

// llama.cpp's Qwen3-MoE has experts in every layer: the first, without in the golden folder, gets
// those of the second.
std::vector<TensorView> plain_tensors(const std::string& name, const ModelFolder& model) {
  std::vector<TensorView> tensors;
  const std::string first = "model.layers.0.mlp.", second = "model.layers.1.mlp.";
  for (const TensorView& tensor : model.tensors()) {
    if (name == "deepseek_v2" && tensor.name.ends_with(".bias")) continue;  // of q_a, kv_a, o
    const bool moe = name == "qwen3_moe";
    if (!moe || !tensor.name.starts_with(first)) tensors.push_back(tensor);
    if (!moe || !tensor.name.starts_with(second)) continue;
    tensors.push_back(tensor);
    tensors.back().name = first + tensor.name.substr(second.size());
  }
  return tensors;
}

// Tensors in another format; their bytes go to `storage`.
std::vector<TensorView> cast(std::vector<TensorView> tensors, Dtype dtype,
                             std::vector<std::vector<std::byte>>& storage) {
  for (TensorView& tensor : tensors) {
    std::vector<float> numbers(static_cast<size_t>(count_of(tensor.shape)));
    decode(tensor.dtype, tensor.bytes, numbers);
    storage.push_back(encode(dtype, numbers));
    tensor.dtype = dtype;
    tensor.bytes = storage.back();
  }
  return tensors;
}

class GgufFamily : public testing::TestWithParam<const char*> {};

// Prevents a name, a permutation, a transposition or a digit that does not come back; and vectors,
// which GGUF has as float32, from coming back rounded otherwise.
TEST_P(GgufFamily, ComesBackFromGgufWithTheSameBytes) {
  const ModelFolder model = ModelFolder::open(golden(GetParam()));
  const Json config = plain_config(GetParam(), model.config());
  for (const auto& [name, dtype] : {std::pair("f32", Dtype::F32), std::pair("f16", Dtype::F16),
                                    std::pair("bf16", Dtype::BF16)}) {
    std::vector<std::vector<std::byte>> storage, back_storage;
    const auto tensors = cast(plain_tensors(GetParam(), model), dtype, storage);
    const fs::path file = fresh_folder() / "m.gguf";
    write_gguf_model({file}, config, "m", tensors, *gguf_type_named(name), no_tokenizer());
    const ModelFolder opened = ModelFolder::open(file);
    std::map<std::string, TensorView> found;
    for (TensorView& tensor : cast(opened.tensors(), dtype, back_storage)) {
      found.emplace(tensor.name, tensor);
    }
    EXPECT_EQ(found.size(), tensors.size());
    for (const TensorView& tensor : tensors) {
      ASSERT_TRUE(found.contains(tensor.name)) << tensor.name;
      EXPECT_EQ(found.at(tensor.name).shape, tensor.shape) << tensor.name;
      EXPECT_TRUE(std::ranges::equal(found.at(tensor.name).bytes, tensor.bytes))
          << name << " " << tensor.name;
    }
  }
}

// Prevents a hyper-parameter that is lost or changed on the way. Keys that one side leaves out have
// the same meaning as the other's: the model tests compare logits.
TEST_P(GgufFamily, KeepsItsConfiguration) {
  const ModelFolder model = ModelFolder::open(golden(GetParam()));
  const Json config = plain_config(GetParam(), model.config());
  const fs::path file = fresh_folder() / "m.gguf";
  write_gguf_model({file}, config, "m", plain_tensors(GetParam(), model), *gguf_type_named("f32"),
                   no_tokenizer());
  const ModelFolder opened = ModelFolder::open(file);
  for (const auto& [key, value] : opened.config().items()) {
    if (!config.contains(key) || config[key].is_null() || key == "dtype") continue;
    if (key == "rope_parameters") {
      for (const auto& [name, setting] : value.items()) {
        if (config[key].contains(name)) {
          EXPECT_EQ(sorted(config[key][name]), sorted(setting)) << name;
        }
      }
    } else {
      EXPECT_EQ(value, config[key]) << key;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GgufFamily,
                         testing::Values("llama", "llama3", "llama_tied", "llama_yarn", "mistral",
                                         "qwen2", "qwen3", "gemma2", "gemma3", "olmo2", "phi3",
                                         "smollm3", "gpt2", "gpt_neox", "mixtral", "qwen3_moe",
                                         "qwen3_5", "qwen3_5_moe", "gemma4", "gemma4_moe",
                                         "gpt_oss", "deepseek_v2_lite", "deepseek_v2",
                                         "deepseek_v3", "deepseek_v32"),
                         [](const auto& info) { return std::string(info.param); });

// Prevents the inverse permutation in place of the permutation: both undo themselves.
TEST(GgufModel, InterleavesTheHalvesOfEachHead) {
  std::vector<float> rows;
  for (int i = 0; i < 16; ++i) rows.push_back(static_cast<float>(i));
  const TransformedTensor changed =
      change_tensor(view_of("q", rows), GgufTransform::query_rows, true, {.query = 2}, "m");
  std::vector<float> found(16);
  decode(changed.dtype, changed.bytes, found);
  EXPECT_EQ(found, (std::vector<float>{0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15}));
  expect_refused(
      [&] {
        change_tensor(view_of("q", rows), GgufTransform::query_rows, true, {.query = 3}, "m");
      },
      {"m", "tensor q", "16 rows", "3 heads"});
}

// Prevents 4-bit heads, and a format whose blocks a row cannot fill.
TEST(GgufModel, ChoosesAFormatThatFitsEachMatrix) {
  const ModelFolder model = ModelFolder::open(golden("llama"));
  const fs::path file = fresh_folder() / "m.gguf";
  const GgufWritten result = write_gguf_model({file}, model.config(), "m", model.tensors(),
                                              *gguf_type_named("q4_0"), no_tokenizer());
  const GgufFile written = GgufFile::open(file);
  for (const TensorView& tensor : written.tensors()) {
    if (tensor.name.ends_with("norm.weight")) {
      EXPECT_EQ(tensor.dtype, Dtype::F32) << tensor.name;
    }
    if (tensor.name.ends_with("attn_q.weight")) {
      EXPECT_EQ(tensor.dtype, Dtype::Q4_0);
    }
    if (tensor.name.ends_with("ffn_down.weight")) {
      EXPECT_EQ(tensor.dtype, Dtype::F16);
    }  // rows of 48
    if (tensor.name == "output.weight") {
      EXPECT_EQ(tensor.dtype, Dtype::Q8_0);
    }  // Q6_K needs 256
  }
  EXPECT_EQ(result.counts.at(Dtype::F16), 2);
}

// Bug: tensors that config.json switches off, which transformers leaves unread, made a file that
// says they are part of the model (2.2 σ from its folder).
TEST(GgufModel, LeavesOutWhatTheConfigurationSwitchesOff) {
  const auto names_in = [](const Json& config, const std::vector<TensorView>& tensors) {
    const fs::path file = fresh_folder() / "m.gguf";
    write_gguf_model({file}, config, "m", tensors, *gguf_type_named("f32"), no_tokenizer());
    std::set<std::string> names;
    const GgufFile written = GgufFile::open(file);
    for (const TensorView& tensor : written.tensors()) names.insert(tensor.name);
    return names;
  };
  const ModelFolder llama = ModelFolder::open(golden("llama"));
  const std::vector<float> zeros(4096);
  std::vector<TensorView> biased = llama.tensors();
  for (const TensorView& matrix : llama.tensors()) {
    if (!matrix.name.ends_with("_proj.weight")) continue;
    TensorView bias = matrix;
    bias.name.replace(bias.name.size() - 6, 6, "bias");
    bias.shape = {matrix.shape[0]};
    bias.bytes = std::as_bytes(std::span(zeros)).first(matrix.shape[0] * sizeof(float));
    bias.dtype = Dtype::F32;
    biased.push_back(bias);
  }
  for (const bool attention : {false, true}) {
    for (const bool mlp : {false, true}) {
      Json config = llama.config();
      config["attention_bias"] = attention;
      config["mlp_bias"] = mlp;
      const std::set<std::string> names = names_in(config, biased);
      for (const char* part : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
        EXPECT_EQ(names.contains(fmt::format("blk.0.{}.bias", part)), attention) << part;
      }
      for (const char* part : {"ffn_gate", "ffn_up", "ffn_down"}) {
        EXPECT_EQ(names.contains(fmt::format("blk.1.{}.bias", part)), mlp) << part;
      }
    }
  }
  const ModelFolder mistral = ModelFolder::open(golden("mistral"));
  for (const std::string& name : names_in(mistral.config(), biased)) {
    EXPECT_FALSE(name.ends_with(".bias")) << name;  // llama.cpp would add them
  }
  const ModelFolder gemma = ModelFolder::open(golden("gemma4"));
  Json config = gemma.config();
  config["attention_k_eq_v"] = true;
  const std::set<std::string> names = names_in(config, gemma.tensors());
  EXPECT_TRUE(names.contains("blk.0.attn_v.weight"));   // with a window
  EXPECT_FALSE(names.contains("blk.1.attn_v.weight"));  // without: keys are values
  EXPECT_TRUE(names.contains("blk.1.attn_k.weight"));
}

TEST(GgufModel, RefusesWhatGgufCannotSay) {
  const ModelFolder model = ModelFolder::open(golden("llama"));
  const auto refused_whole = [&](const Json& config, std::vector<std::string> words) {
    words.emplace_back("m");
    expect_refused(
        [&] {
          write_gguf_model({fresh_folder() / "m.gguf"}, config, "m", model.tensors(),
                           *gguf_type_named("f32"), no_tokenizer());
        },
        words);
  };
  const auto refused = [&](const char* key, const Json& value,
                           const std::vector<std::string>& words) {
    Json config = model.config();
    config[key] = value;
    refused_whole(config, words);
  };
  refused("hidden_act", "gelu", {"hidden_act", "\"gelu\"", "\"silu\""});
  refused_whole({{"architectures", {"OtherModel"}}, {"model_type", "other"}},
                {"OtherModel", "known architectures"});
  refused("hidden_size", "many", {"hidden_size", "many"});
  refused("num_attention_heads", 0, {"num_attention_heads", "positive size"});
  refused("rope_parameters", {{"rope_type", "dynamic"}, {"factor", 2.0}}, {"rope_type", "dynamic"});
  refused("rope_parameters", {{"rope_type", "linear"}, {"factor", "x"}}, {"factor", "a number"});
}

// Folders that nothing else would load: without its head or its biases a GGUF file is another
// model, with the embedding for a head, and its logits came without a word.
TEST(GgufModel, RefusesFoldersWithoutTheirHeadOrBiases) {
  const auto refused = [](const char* folder, const Json& change, std::string_view without,
                          const std::string& named) {
    const ModelFolder model = ModelFolder::open(golden(folder));
    Json config = model.config();
    config.update(change);
    std::vector<TensorView> tensors = model.tensors();
    std::erase_if(tensors, [&](const TensorView& tensor) { return tensor.name == without; });
    expect_refused(
        [&] {
          write_gguf_model({fresh_folder() / "m.gguf"}, config, "m", tensors,
                           *gguf_type_named("f32"), no_tokenizer());
        },
        {"m", named, "config.json"});
  };
  const Json as_it_is = Json::object();
  refused("llama", as_it_is, "lm_head.weight", "lm_head.weight");
  refused("mixtral", as_it_is, "lm_head.weight", "lm_head.weight");
  refused("gpt_neox", as_it_is, "embed_out.weight", "embed_out.weight");
  refused("llama", {{"attention_bias", true}}, "", "model.layers.0.self_attn.k_proj.bias");
  refused("llama", {{"mlp_bias", true}}, "", "model.layers.0.mlp.down_proj.bias");
  const char* bias = "model.layers.1.self_attn.q_proj.bias";
  const Json plain = {{"use_sliding_window", false},
                      {"layer_types", {"full_attention", "full_attention"}}};
  refused("qwen2", plain, bias, bias);
}

// A golden model's file with one more tensor.
ModelFolder with_bias(const std::string& model, const std::string& name) {
  const ModelFolder folder = ModelFolder::open(golden(model));
  const fs::path whole = fresh_folder() / "m.gguf", more = whole.parent_path() / "more.gguf";
  write_gguf_model({whole}, folder.config(), "m", folder.tensors(), *gguf_type_named("f32"),
                   no_tokenizer());
  const GgufFile file = GgufFile::open(whole);
  std::vector<GgufTensor> tensors = {
      {.name = name, .dtype = Dtype::F32, .shape = {32}, .bytes = [] {
         return std::vector<std::byte>(32 * sizeof(float));
       }}};
  for (const TensorView& view : file.tensors()) {
    tensors.push_back(
        {.name = view.name, .dtype = view.dtype, .shape = view.shape, .bytes = [view] {
           return std::vector(view.bytes.begin(), view.bytes.end());
         }});
  }
  write_gguf({more}, file.metadata(), tensors);
  return ModelFolder::open(more);
}

// Prevents: a bias of o_proj, or of one projection alone, passed over, and the logits those of
// another model. The flags ask for all of them, so that what lacks is missed when it is loaded.
TEST(GgufBiases, OfAnyProjectionCount) {
  for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
    const auto config = with_bias("llama", fmt::format("blk.1.{}.bias", name)).config();
    EXPECT_EQ(config["attention_bias"], true) << name;
    EXPECT_EQ(config["mlp_bias"], false) << name;
  }
  for (const char* name : {"ffn_gate", "ffn_up", "ffn_down"}) {
    const auto config = with_bias("llama", fmt::format("blk.0.{}.bias", name)).config();
    EXPECT_EQ(config["mlp_bias"], true) << name;
    EXPECT_EQ(config["attention_bias"], false) << name;
  }
}

TEST(GgufBiases, OfFamiliesWithoutThemAreRefused) {
  for (const char* model : {"mistral", "mixtral", "qwen3", "olmo2"}) {
    expect_refused([&] { with_bias(model, "blk.0.attn_q.bias"); }, {"blk.0.attn_q.bias", "bias"});
  }
}

// Files that are sound as GGUF and make no model.
TEST(GgufModel, RefusesMetadataThatMakesNoModel) {
  const ModelFolder model = ModelFolder::open(golden("llama"));
  const fs::path path = fresh_folder() / "m.gguf";
  write_gguf_model({path}, model.config(), "m", model.tensors(), *gguf_type_named("f32"),
                   no_tokenizer());
  const std::string good = read_file(path);
  const auto refused = [&](const std::string& from, const std::string& to,
                           const std::vector<std::string>& words) {
    std::string bad = good;
    bad.replace(bad.find(from), from.size(), to);
    const fs::path file = fresh_folder() / "bad.gguf";
    write_file(file, bad);
    expect_refused([&] { ModelFolder::open(file); }, words);
  };
  refused("\5\0\0\0\0\0\0\0model"s, "\5\0\0\0\0\0\0\0other"s, {"general.type", "\"other\""});
  refused("general.architecture", "general.Architecture", {"bad.gguf", "general.architecture"});
  refused("llama.block_count", "llama.blocK_count", {"bad.gguf", "llama.block_count"});
  refused("token_embd.weight", "token_embD.weight", {"token_embd.weight"});
  refused("blk.1.attn_q.weight", "blk.1.attn_x.weight", {"blk.1.attn_x.weight", "llama"});
  refused(std::string("llama.attention.head_count\4\0\0\0\4", 31),
          std::string("llama.attention.head_count\4\0\0\0\0", 31), {"num_attention_heads", "0"});
  refused(std::string("llama.attention.head_count\4\0\0\0\4", 31),
          std::string("llama.attention.head_count\4\0\0\0\7", 31), {"blk.0.attn_q", "7 heads"});
}

}  // namespace
}  // namespace alambic::model_test
