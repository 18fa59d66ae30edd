// Tensors that GGUF has in parts: DeepSeek's kv_b_proj, gpt-oss's experts. That the files are what
// llama.cpp reads was checked with it (docs/formats.md); here, that they come back and what is
// refused.
#include "alambic/io/gguf/parts.h"

#include "alambic/base/files.h"
#include "alambic/io/gguf/model.h"
#include "alambic/io/model_folder.h"
#include "alambic/io/quant/decode.h"
#include "alambic/io/quant/tile_scales.h"
#include "tests/io/gguf/gguf_testing.h"

namespace alambic::parts_test {
namespace {

using Json = nlohmann::ordered_json;

const TensorView& named(const std::vector<TensorView>& tensors, const std::string& name) {
  const auto found = std::ranges::find(tensors, name, &TensorView::name);
  check(found != tensors.end(), "no tensor {}", name);
  return *found;
}

fs::path written(const ModelFolder& model) { return written(model.config(), model.tensors()); }

// Prevents keys that are not transposed, and values in their place: llama.cpp's convert_hf_to_gguf
// takes [H, n + v, L] apart into k [H, n, L], transposed, and v [H, v, L].
TEST(GgufParts, TakeKeysAndValuesOfEachHeadApart) {
  const ModelFolder model = golden("deepseek_v3");
  const TensorView& whole = named(model.tensors(), "model.layers.1.self_attn.kv_b_proj.weight");
  std::vector<float> from(static_cast<size_t>(count_of(whole.shape)));
  decode(whole.dtype, whole.bytes, from);
  const GgufFile file = GgufFile::open(written(model));
  const TensorView& keys = named(file.tensors(), "blk.1.attn_k_b.weight");
  const TensorView& values = named(file.tensors(), "blk.1.attn_v_b.weight");
  ASSERT_EQ(keys.shape, (std::vector<int64_t>{4, 10, 8}));
  ASSERT_EQ(values.shape, (std::vector<int64_t>{4, 6, 10}));
  std::vector<float> k(4 * 10 * 8), v(4 * 6 * 10);
  decode(keys.dtype, keys.bytes, k);
  decode(values.dtype, values.bytes, v);
  for (int64_t h = 0; h < 4; ++h) {
    for (int64_t l = 0; l < 10; ++l) {
      for (int64_t n = 0; n < 8; ++n) {
        EXPECT_EQ(k.at((h * 10 + l) * 8 + n), from.at((h * 14 + n) * 10 + l));
      }
      for (int64_t i = 0; i < 6; ++i) {
        EXPECT_EQ(v.at((h * 6 + i) * 10 + l), from.at((h * 14 + 8 + i) * 10 + l));
      }
    }
  }
}

// Files from before the absorption: one tensor, and other widths under the same keys. Others have
// it whole and in parts.
TEST(GgufParts, AreNotNeededWhereTheFileHasTheWhole) {
  const ModelFolder model = golden("deepseek_v3");
  const GgufFile file = GgufFile::open(written(model));
  for (const bool parts_too : {false, true}) {
    GgufMetadata metadata;
    for (const auto& [key, value] : file.metadata().items()) {
      if (!parts_too && key == "deepseek2.attention.key_length") {
        metadata.add(key, uint32_t{12});
      } else if (!parts_too && key == "deepseek2.attention.value_length") {
        metadata.add(key, uint32_t{6});
      } else if (parts_too || !key.ends_with("_mla")) {
        metadata.add(key, value);
      }
    }
    std::vector<GgufTensor> tensors;
    const auto add = [&](const std::string& name, const TensorView& tensor) {
      tensors.push_back({.name = name, .dtype = tensor.dtype, .shape = tensor.shape, .bytes = [=] {
                           return std::vector(tensor.bytes.begin(), tensor.bytes.end());
                         }});
    };
    for (const TensorView& tensor : file.tensors()) {
      const bool part = tensor.name.ends_with("k_b.weight") || tensor.name.ends_with("v_b.weight");
      if (!part || parts_too) add(tensor.name, tensor);
    }
    for (const std::string layer : {"0", "1"}) {
      add("blk." + layer + ".attn_kv_b.weight",
          named(model.tensors(), "model.layers." + layer + ".self_attn.kv_b_proj.weight"));
    }
    const fs::path older = fresh_folder() / "older.gguf";
    write_gguf({older}, metadata, tensors);
    const ModelFolder found = ModelFolder::open(older);
    EXPECT_EQ(found.tensors().size(), model.tensors().size());
    for (const TensorView& tensor : model.tensors()) {
      EXPECT_TRUE(std::ranges::equal(named(found.tensors(), tensor.name).bytes, tensor.bytes))
          << tensor.name;
    }
    for (const char* key : {"qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"}) {
      EXPECT_EQ(found.config()[key], model.config()[key]) << key;
    }
  }
}

// Prevents halves of the 4-bit numbers in the wrong order, and experts that are decoded to eight
// times their size.
TEST(GgufParts, OfMxfp4StayMxfp4) {
  constexpr int64_t E = 2, F = 3, D = 64;
  const auto part = [&](uint32_t seed) {
    std::vector<std::byte> bytes(E * F * D / 32 * 17);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>((seed = seed * 1664525 + 1) >> 24);
    for (size_t i = 0; i < bytes.size(); i += 17) bytes[i] &= std::byte{127};  // finite
    return bytes;
  };
  const std::vector<std::byte> gates = part(1), ups = part(2);
  const auto view = [&](const std::string& name, const std::vector<std::byte>& bytes) {
    return TensorView{.name = name, .dtype = Dtype::MXFP4, .shape = {E, F, D}, .bytes = bytes};
  };
  const auto numbers = [](const WholeTensor& whole) {
    EXPECT_EQ(whole.tensor.dtype, Dtype::F4);
    std::vector<float> decoded(static_cast<size_t>(count_of(whole.tensor.shape)));
    decode_tiles({.name = "whole",
                  .dtype = Dtype::F4,
                  .shape = whole.tensor.shape,
                  .bytes = whole.tensor.bytes,
                  .tiles = {whole.scales, 1, whole.scaled}},
                 decoded);
    return decoded;
  };
  const WholeTensor both = whole_of({{GgufTransform::even_columns, view("gates", gates)},
                                     {GgufTransform::odd_columns, view("ups", ups)}},
                                    {}, "m");
  const WholeTensor down =
      whole_of({{GgufTransform::transposed_experts, view("gates", gates)}}, {}, "m");
  ASSERT_EQ(both.tensor.shape, (std::vector<int64_t>{E, D, 2 * F}));
  ASSERT_EQ(down.tensor.shape, (std::vector<int64_t>{E, D, F}));
  const std::vector<float> found = numbers(both), transposed = numbers(down);
  std::vector<float> gate(E * F * D), up(E * F * D);
  decode(Dtype::MXFP4, gates, gate);
  decode(Dtype::MXFP4, ups, up);
  for (int64_t e = 0; e < E; ++e) {
    for (int64_t f = 0; f < F; ++f) {
      for (int64_t d = 0; d < D; ++d) {
        EXPECT_EQ(found.at((e * D + d) * 2 * F + 2 * f), gate.at((e * F + f) * D + d));
        EXPECT_EQ(found.at((e * D + d) * 2 * F + 2 * f + 1), up.at((e * F + f) * D + d));
        EXPECT_EQ(transposed.at((e * D + d) * F + f), gate.at((e * F + f) * D + d));
      }
    }
  }
}

// Prevents gpt-oss from being written in four times its bytes, and its numbers from being rounded
// on the way: blocks and exponents are those of the folder, as llama.cpp's converter moves them.
TEST(GgufParts, Mxfp4IsWrittenAsItIs) {
  const ModelFolder model = golden("mxfp4");
  Json config = model.config();
  config["swiglu_limit"] = 7.0;
  const fs::path file = fresh_folder() / "m.gguf";
  const auto write = [&](const std::vector<TensorView>& tensors) {
    return write_gguf_model({file}, config, "m", tensors, *gguf_type_named("mxfp4"),
                            GgufMetadata("m", {{"tokenizer.ggml.model", std::string("no_vocab")}}));
  };
  const int64_t layers = config["num_hidden_layers"];
  EXPECT_EQ(write(model.tensors()).counts.at(Dtype::MXFP4), 3 * layers);
  const ModelFolder back = ModelFolder::open(file);
  for (const TensorView& tensor : model.tensors()) {
    if (tensor.dtype != Dtype::F4) continue;
    const TensorView* found = tensor_named(back.tensors(), tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->shape, tensor.shape);
    EXPECT_TRUE(std::ranges::equal(found->bytes, tensor.bytes)) << tensor.name;
    EXPECT_TRUE(std::ranges::equal(found->tiles.bytes, tensor.tiles.bytes)) << tensor.name;
  }
  const ModelFolder llama = golden("llama");
  expect_refused(
      [&] {
        write_gguf_model({file}, llama.config(), "m", llama.tensors(), *gguf_type_named("mxfp4"),
                         GgufMetadata());
      },
      {"MXFP4 is for experts"});
}

// DeepSeek-V3 comes in FP8, gpt-oss in MXFP4, with scales beside the numbers.
TEST(GgufParts, AreMadeOfNumbersWithScalesToo) {
  for (const std::string name : {"fp8", "mxfp4"}) {
    const ModelFolder model = golden(name);
    const ModelFolder found = ModelFolder::open(written(model));
    size_t scaled = 0;
    for (const TensorView& tensor : model.tensors()) {
      if (tensor.tiles.bytes.empty()) continue;
      const TensorView& back = named(found.tensors(), tensor.name);
      ASSERT_EQ(back.shape, tensor.shape) << tensor.name;
      std::vector<float> numbers(static_cast<size_t>(count_of(tensor.shape))), again = numbers;
      decode_tiles(tensor, numbers);
      decode(back.dtype, back.bytes, again);
      EXPECT_EQ(again, numbers) << tensor.name;
      ++scaled;
    }
    EXPECT_GT(scaled, 1u) << name;
  }
}

TEST(GgufParts, LeaveOutLayersForMultiTokenPrediction) {
  const ModelFolder model = golden("deepseek_v3");
  Json config = model.config();
  config["num_nextn_predict_layers"] = 1;
  std::vector<TensorView> tensors = model.tensors();
  tensors.push_back(named(tensors, "model.norm.weight"));
  tensors.back().name = "model.layers.2.eh_proj.weight";
  const ModelFolder found = ModelFolder::open(written(config, tensors));
  EXPECT_EQ(found.tensors().size(), model.tensors().size());
  EXPECT_EQ(found.config()["num_nextn_predict_layers"], 0);
  tensors.back().name = "model.layers.1.eh_proj.weight";
  expect_refused([&] { written(config, tensors); }, {"model.layers.1.eh_proj.weight"});
}

TEST(GgufParts, RefuseWhatLlamaCppHasNot) {
  const auto refused = [](const std::string& name, const Json& patch,
                          const std::vector<std::string>& words) {
    const ModelFolder model = golden(name);
    Json config = model.config();
    config.merge_patch(patch);
    expect_refused([&] { written(config, model.tensors()); }, words);
  };
  refused("gpt_oss", Json::object(), {"swiglu_limit", "7.0"});
  refused("gpt_oss", {{"swiglu_limit", 7.0}, {"rope_parameters", {{"truncate", true}}}},
          {"truncate"});
  refused("gpt_oss",
          {{"swiglu_limit", 7.0}, {"layer_types", {"full_attention", "linear_attention"}}},
          {"layer_types", "linear_attention"});
  refused("deepseek_v2", Json::object(), {"attention_bias", "true"});
  refused("deepseek_v3", {{"rope_interleave", false}}, {"rope_interleave"});
  refused("deepseek_v3", {{"rope_parameters", {{"mscale", 0.5}}}}, {"mscale_all_dim"});
  refused("deepseek_v3", {{"v_head_dim", 5}}, {"kv_b_proj", "does not fit"});
  refused("deepseek_v3", {{"v_head_dim", "x"}}, {"v_head_dim"});
  refused("deepseek_v3", {{"first_k_dense_replace", -1}}, {"first_k_dense_replace"});
}

TEST(GgufParts, RefuseFilesWhoseSizesContradictThem) {
  const std::string good = read_file(written(golden("deepseek_v3")));
  const auto refused = [&](const std::string& from, const std::string& to,
                           const std::vector<std::string>& words) {
    std::string bad = good;
    bad.replace(bad.find(from), from.size(), to);
    const fs::path file = fresh_folder() / "bad.gguf";
    write_file(file, bad);
    expect_refused([&] { ModelFolder::open(file); }, words);
  };
  const auto number = [](const std::string& key, char value) {
    return key + std::string("\4\0\0\0", 4) + value + std::string("\0\0\0", 3);
  };
  const std::string value = "deepseek2.attention.value_length_mla",
                    key = "deepseek2.attention.key_length_mla",
                    function = "deepseek2.expert_gating_func";
  refused(number(value, 6), number(value, 5), {"attn_", "does not fit"});
  refused(number(value, 6), number(value, 0), {value, "0"});
  refused(number(key, 12), number(key, 4), {key, "4", "turn"});
  refused(number(function, 2), number(function, 3), {function, "3"});
  refused("blk.1.attn_v_b.weight", "blk.7.attn_v_b.weight", {"blk.1.attn_v_b.weight"});
}

}  // namespace
}  // namespace alambic::parts_test
