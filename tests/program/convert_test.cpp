// GGUF files from outside and inside: conversion, and the tokenizer in a file (which needs both the
// io room, that reads it, and the text room, that runs it).
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/io/gguf/pre_tokenizer.h"
#include "alambic/io/model_folder.h"
#include "alambic/text/tokenizer/load_tokenizer.h"
#include "tests/program/program.h"

namespace alambic::convert_test {
namespace {

const fs::path shared = fs::path(ALAMBIC_SOURCE_DIR) / ".." / "shared" / "data";
const fs::path stories = shared / "stories260K/hf";

fs::path fresh_folder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  const fs::path folder =
      fs::path(testing::TempDir()) /
      fmt::format("alambic_{}_{}_{}", test->test_suite_name(), test->name(), ::getpid());
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

Tokenizer from_metadata(const GgufMetadata& metadata) {
  return Tokenizer::from_files("f.gguf", tokenizer_of_gguf(metadata), TokenizerJson::made_here);
}

// Without the whole tokenizer.json, as other programs write files.
GgufMetadata without_json(const GgufMetadata& metadata) {
  GgufMetadata rest("f.gguf");
  for (const auto& [key, value] : metadata.items()) {
    if (key != "tokenizer.huggingface.json") rest.add(key, value);
  }
  return rest;
}

const std::vector<std::string> texts = {"",
                                        "Hello world",
                                        "  two  spaces ",
                                        "12345 6",
                                        "can't WE'LL",
                                        "a\n\n b\t\r\n",
                                        "naïve café",
                                        "日本語 テキスト",
                                        "🙂👩‍👩‍👧",
                                        "x=1;  // code\n\treturn;",
                                        "<s>",
                                        "<unk> </s>"};

GgufMetadata metadata_of(const Tokenizer& tokenizer, std::string& note) {
  return gguf_tokenizer(tokenizer.files(), special_tokens_of(tokenizer), tokenizer.size() + 3, "m",
                        note);
}

// The scales are multiplied in, and nothing says any more that there were some.
TEST(Convert, WritesFp8WeightsWhole) {
  const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/fp8";
  const std::string matrix = "model.layers.0.self_attn.kv_b_proj.weight";
  const SafetensorsFile expected = SafetensorsFile::open(golden / "expected.safetensors");
  for (const std::string dtype : {"float32", "bfloat16"}) {
    const fs::path out = fresh_folder();
    const Outcome outcome = alambic("convert --model " + golden.string() + " --out " +
                                    out.string() + " --dtype " + dtype);
    ASSERT_EQ(outcome.code, 0) << outcome.text;
    const auto config = nlohmann::json::parse(std::ifstream(out / "config.json"));
    EXPECT_FALSE(config.contains("quantization_config"));
    EXPECT_EQ(config["dtype"], dtype);
    const SafetensorsFile found = SafetensorsFile::open(out / "model.safetensors");
    EXPECT_EQ(found.find(matrix + "_scale_inv"), nullptr);
    ASSERT_NE(found.find(matrix), nullptr);
    EXPECT_EQ(found.find(matrix)->dtype, dtype == "float32" ? Dtype::F32 : Dtype::BF16);
    if (dtype == "float32") {
      EXPECT_TRUE(std::ranges::equal(found.find(matrix)->bytes, expected.find(matrix)->bytes));
    }
  }
}

class GgufTokenizer : public testing::TestWithParam<const char*> {};

// Prevents a vocabulary that comes back with other ids, from the tokens alone or whole.
TEST_P(GgufTokenizer, GivesTheSameIdsFromItsTokensAlone) {
  const Tokenizer tokenizer =
      Tokenizer::load(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers" / GetParam());
  std::string note;
  const GgufMetadata metadata = metadata_of(tokenizer, note);
  EXPECT_EQ(note, "");
  const Tokenizer whole = from_metadata(metadata), built = from_metadata(without_json(metadata));
  for (const std::string& text : texts) {
    EXPECT_EQ(whole.encode(text), tokenizer.encode(text)) << text;
    EXPECT_EQ(built.encode(text), tokenizer.encode(text)) << text;
    EXPECT_EQ(built.decode(tokenizer.encode(text, false)),
              tokenizer.decode(tokenizer.encode(text, false)))
        << text;
  }
}
INSTANTIATE_TEST_SUITE_P(All, GgufTokenizer, testing::Values("gpt2", "llama2", "llama3"),
                         [](const auto& info) { return std::string(info.param); });

// llama.cpp's own expectations: texts apart by a mark, a line of ids for each.
TEST(GgufVocabulary, GivesTheIdsOfLlamaCpp) {
  const fs::path folder = shared / "tokenizers/gguf-vocab";
  if (!fs::exists(folder)) GTEST_SKIP() << "no " << folder;
  const std::string mark = "\n__ggml_vocab_test__\n";
  const std::string all = read_file(folder / "ggml-vocab-ALL.gguf.inp");
  for (const char* name : {"ggml-vocab-gpt-2.gguf", "ggml-vocab-llama-spm.gguf"}) {
    const Tokenizer tokenizer = load_tokenizer(folder / name);
    std::ifstream expected(folder / (std::string(name) + ".out"));
    size_t begin = 0;
    for (std::string line; std::getline(expected, line);) {
      const size_t end = all.find(mark, begin);
      ASSERT_NE(end, std::string::npos) << name;
      std::string ids;
      const std::string text = all.substr(begin, end - begin);
      for (const int32_t id : tokenizer.encode(text, false)) ids += fmt::format(" {}", id);
      EXPECT_EQ(ids, line) << name << ": " << text;
      begin = end + mark.size();
    }
  }
}

template <class Value>
GgufMetadata changed(const GgufMetadata& metadata, const std::string& key, Value&& value) {
  GgufMetadata other("f.gguf");
  other.add(key, std::forward<Value>(value));
  for (const auto& [old, kept] : metadata.items()) other.add(old, kept);
  return other;
}

// Gemma 4's files have merges where Llama's have scores. The begin stands before every text,
// whether or not the file says so.
TEST(GgufVocabulary, OfGemma4HasMergesAndSpaces) {
  const Tokenizer tokenizer =
      Tokenizer::load(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers/llama2");
  std::string note;
  const GgufMetadata llama = metadata_of(tokenizer, note);
  std::vector<std::string> merges;
  const auto json = nlohmann::json::parse(*llama.text("tokenizer.huggingface.json"));
  for (const auto& merge : json["model"]["merges"]) {
    merges.push_back(merge.is_array()
                         ? merge[0].get<std::string>() + " " + merge[1].get<std::string>()
                         : merge.get<std::string>());
  }
  GgufMetadata gemma("f.gguf");
  gemma.add("tokenizer.ggml.model", std::string("gemma4"));
  for (const auto& [key, value] : llama.items()) {
    const bool left_out = key == "tokenizer.ggml.scores" || key == "tokenizer.huggingface.json" ||
                          key == "tokenizer.ggml.add_bos_token";
    if (!left_out) gemma.add(key, value);
  }
  const Tokenizer built =
      from_metadata(changed(gemma, "tokenizer.ggml.merges", GgufArray(std::move(merges))));
  for (const std::string& text : texts) {
    EXPECT_EQ(built.encode(text), tokenizer.encode(text)) << text;
  }
  EXPECT_THROW(from_metadata(gemma), Error);  // without merges
}

// Prevents a pattern that is written as another's: Qwen3.5's differs from Qwen2's by the marks that
// stand on letters.
TEST(GgufVocabulary, IsCutAsItsNameSays) {
  for (const std::string name :
       {"gpt-2", "llama-bpe", "qwen2", "qwen35", "gpt-4o", "deepseek-v3"}) {
    const GgufPreTokenizer* pre = gguf_pre_tokenizer(name);
    ASSERT_NE(pre, nullptr) << name;
    const GgufPreTokenizer* found =
        find_pre_tokenizer({{"pre_tokenizer", pre_tokenizer_json(*pre)},
                            {"model", {{"ignore_merges", pre->ignore_merges}}}});
    ASSERT_NE(found, nullptr) << name;
    EXPECT_EQ(found->name, name);
  }
}

// Prevents a file from naming tokens that are not there.
TEST(GgufVocabulary, IsRefusedWhenItsListsDisagree) {
  std::string note;
  const GgufMetadata good = without_json(metadata_of(
      Tokenizer::load(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers/gpt2"), note));
  const auto refused = [&](const std::string& key, const GgufValue& value, const char* word) {
    try {
      tokenizer_of_gguf(changed(good, key, value));
      ADD_FAILURE() << key;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input) << key;
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  };
  using Texts = std::vector<std::string>;
  refused("tokenizer.ggml.model", std::string("bert"), "\"bert\"");
  refused("tokenizer.ggml.model", uint32_t{1}, "tokenizer.ggml.model should be a string");
  refused("tokenizer.ggml.pre", std::string("other"), "tokenizer.ggml.pre \"other\"");
  refused("tokenizer.ggml.tokens", GgufArray(Texts{"a", "b"}), "has");
  refused("tokenizer.ggml.token_type", GgufArray(std::vector<int32_t>{1}), "1 entries");
  refused("tokenizer.ggml.bos_token_id", uint32_t{1 << 30}, "bos_token_id is 1073741824");
}

// Prevents a weight or a file of the tokenizer that is lost on the way there and back.
TEST(Convert, FolderToGgufAndBackHasTheSameWeightsAndTokenizer) {
  if (!fs::exists(stories)) GTEST_SKIP() << "no " << stories;
  const fs::path folder = fresh_folder(), file = folder / "m.gguf", back = folder / "back";
  const Outcome there = alambic("convert --model " + stories.string() + " --out " + file.string());
  ASSERT_EQ(there.code, 0) << there.text;
  ASSERT_EQ(alambic("convert --model " + file.string() + " --out " + back.string()).code, 0);
  EXPECT_TRUE(read_file(back / "model.safetensors") == read_file(stories / "model.safetensors"));
  EXPECT_TRUE(read_file(back / "tokenizer.json") == read_file(stories / "tokenizer.json"));
  EXPECT_EQ(alambic("convert --model " + file.string() + " --out " + back.string()).code, 2);
}

// Prevents a choice that is silently without effect.
TEST(Convert, RefusesOptionsThatDoNothing) {
  const std::string model = (fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/llama").string();
  const fs::path folder = fresh_folder();
  const auto text = [&](const std::string& rest) {
    const Outcome outcome = alambic("convert --model " + model + " " + rest);
    EXPECT_EQ(outcome.code, 2) << rest;
    return outcome.text;
  };
  const std::string file = (folder / "m.gguf").string(), out = (folder / "m").string();
  EXPECT_NE(text("--out " + file + " --dtype float32").find("--type"), std::string::npos);
  EXPECT_NE(text("--out " + out + " --type f16").find("--dtype"), std::string::npos);
  EXPECT_NE(text("--out " + file + " --type q3_k").find("expected one of"), std::string::npos);
  EXPECT_NE(text("--out " + out + " --dtype int8").find("expected float32"), std::string::npos);
}

// Prevents a conversion that holds all converted weights in memory: 96 MB of them, where a tensor
// needs 10 and the process may have 48.
TEST(Convert, HoldsOneTensorAtATime) {
  if (*ALAMBIC_SANITIZED != '\0') GTEST_SKIP() << "a sanitizer needs memory of its own";
  const fs::path folder = fresh_folder(), out = folder / "out";
  const std::vector<uint16_t> ones(1 << 20, 0x3f80);
  std::vector<TensorView> tensors;
  for (int i = 0; i < 24; ++i) {
    tensors.push_back({.name = fmt::format("model.layers.{}.weight", i),
                       .dtype = Dtype::BF16,
                       .shape = {1024, 1024},
                       .bytes = std::as_bytes(std::span(ones))});
  }
  write_model_folder(folder / "model", {{"model_type", "llama"}}, nullptr, tensors);
  const Outcome outcome =
      shell("ulimit -d 49152; " + kProgram + " convert --dtype float32 --model " +
            (folder / "model").string() + " --out " + out.string());
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  const SafetensorsFile found = SafetensorsFile::open(out / "model.safetensors");
  ASSERT_EQ(found.tensors().size(), tensors.size());
  const std::vector<float> expected(1 << 20, 1);
  for (const TensorView& tensor : found.tensors()) {
    EXPECT_TRUE(std::ranges::equal(tensor.bytes, std::as_bytes(std::span(expected))))
        << tensor.name;
  }
}

// Prevents parts that the program itself does not read, and files that it replaces unasked.
TEST(Convert, WritesPartsThatAreTheModel) {
  const fs::path folder = fresh_folder(), file = folder / "m.gguf";
  const std::string model = (fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/llama").string();
  const std::string split = "convert --model " + model + " --split-size 30K --out " + file.string();
  const Outcome there = alambic(split);
  ASSERT_EQ(there.code, 0) << there.text;
  EXPECT_NE(there.text.find("m-00001-of-00003.gguf and 2 more"), std::string::npos) << there.text;
  EXPECT_FALSE(fs::exists(file));
  EXPECT_EQ(alambic(split).code, 2);
  EXPECT_EQ(alambic(split + " --overwrite").code, 0);
  const fs::path second = folder / "m-00002-of-00003.gguf", back = folder / "back";
  const Outcome again = alambic("convert --model " + second.string() + " --out " + back.string());
  ASSERT_EQ(again.code, 0) << again.text;
  EXPECT_TRUE(read_file(back / "model.safetensors") ==
              read_file(fs::path(model) / "model.safetensors"));
  fs::remove(folder / "m-00003-of-00003.gguf");
  const Outcome missing = alambic("info --model " + second.string());
  EXPECT_EQ(missing.code, 2);
  EXPECT_NE(missing.text.find("there is no m-00003-of-00003.gguf"), std::string::npos)
      << missing.text;
}

TEST(Convert, RefusesSizesOfPartsThatAreNone) {
  const fs::path folder = fresh_folder();
  const std::string model = (fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/llama").string();
  const auto text = [&](const std::string& rest) {
    const Outcome outcome = alambic("convert --model " + model + " " + rest);
    EXPECT_EQ(outcome.code, 2) << rest;
    return outcome.text;
  };
  for (const std::string size : {"4", "G", "-1G", "0M", "4X", "99999999G"}) {
    EXPECT_NE(text("--out " + (folder / "m.gguf").string() + " --split-size=" + size)
                  .find("--split-size: expected"),
              std::string::npos)
        << size;
  }
  EXPECT_NE(text("--out " + (folder / "m").string() + " --split-size 1G").find("--split-size"),
            std::string::npos);
}

}  // namespace
}  // namespace alambic::convert_test
