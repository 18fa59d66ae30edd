#include <gtest/gtest.h>
#include <unistd.h>

#include "alambic/base/error.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic::tokenizer_folder_test {
namespace {

using Ids = std::vector<int32_t>;

const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers";

class TokenizerFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / fmt::format("alambic-tokenizer-{}", ::getpid());
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  Tokenizer load_with(const std::string& name, const std::string& config) {
    fs::copy(golden / name / "tokenizer.json", folder / "tokenizer.json",
             fs::copy_options::overwrite_existing);
    write_file(folder / "tokenizer_config.json", config);
    return Tokenizer::load(folder);
  }
  std::string load_error() {
    try {
      Tokenizer::load(folder);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  fs::path folder;
};

TEST_F(TokenizerFolder, SaysWhatItLookedFor) {
  EXPECT_NE(load_error().find("there is no tokenizer.json"), std::string::npos);
  EXPECT_NE(load_error().find(folder.string()), std::string::npos);
  write_file(folder / "vocab.txt", "x");
  EXPECT_NE(load_error().find("found only vocab.txt"), std::string::npos);
  const fs::path whole = folder;
  folder = whole / "nowhere";
  EXPECT_NE(load_error().find("there is no such file or folder"), std::string::npos);
  folder = whole / "vocab.txt";
  EXPECT_NE(load_error().find("it is not a folder"), std::string::npos);
  folder = whole;
}

TEST_F(TokenizerFolder, ReadsTheRolesOfTokens) {
  const Tokenizer tokenizer = load_with("llama2", R"({
      "bos_token": {"content": "<s>", "lstrip": false, "rstrip": false}, "eos_token": "</s>",
      "unk_token": "<unk>", "pad_token": null})");
  EXPECT_EQ(tokenizer.bos(), 1);
  EXPECT_EQ(tokenizer.eos(), 2);
  EXPECT_EQ(tokenizer.unk(), 0);
  EXPECT_EQ(tokenizer.pad(), std::nullopt);
  EXPECT_TRUE(tokenizer.is_special(2));
  EXPECT_FALSE(tokenizer.is_special(5));
}

// transformers writes this for "no limit"; simdjson takes no integer beyond 64 bits.
TEST_F(TokenizerFolder, ReadsAnUnlimitedLength) {
  const Tokenizer tokenizer = load_with("llama2", R"({
    "model_max_length": 1000000000000000019884624838656, "eos_token": "</s>"})");
  EXPECT_EQ(tokenizer.eos(), 2);
}

// As transformers 5.23, which does not look at add_bos_token beside a tokenizer.json.
TEST_F(TokenizerFolder, LetsItsFileDecideOnBosAndEos) {
  const std::string roles = R"({"bos_token": "<s>", "eos_token": "</s>")";
  Ids both = load_with("llama2", roles + "}").encode("a", false);
  both.insert(both.begin(), 1);
  both.push_back(2);
  for (const char* more : {"}", R"(, "add_bos_token": true})", R"(, "add_bos_token": false})"}) {
    EXPECT_EQ(load_with("llama2", roles + more).encode("a"), both) << more;
  }
}

TEST_F(TokenizerFolder, AddsTokensThatOnlyTheConfigHas) {
  const Tokenizer tokenizer = load_with("gpt2", R"({
      "added_tokens_decoder": {"300": {"content": "<|x|>", "special": true}},
      "eos_token": "<|y|>"})");
  EXPECT_EQ(tokenizer.encode("<|x|><|y|>"), (Ids{300, 301}));
  EXPECT_EQ(tokenizer.eos(), 301);
  EXPECT_EQ(tokenizer.size(), 302);
  EXPECT_EQ(tokenizer.decode(Ids{300, 301}, true), "");
}

TEST_F(TokenizerFolder, TakesIdsFromTheModelsConfigWhenNothingElseHasThem) {
  write_file(folder / "config.json", R"({"bos_token_id": 1, "eos_token_id": [2, 0]})");
  const Tokenizer tokenizer = load_with("llama2", "{}");
  EXPECT_EQ(tokenizer.bos(), 1);
  EXPECT_EQ(tokenizer.eos(), 2);
}

TEST_F(TokenizerFolder, SavesItsFilesByteForByte) {
  const Tokenizer tokenizer = load_with("gpt2", "{ \"eos_token\":\t\"<|end|>\" }\n");
  write_file(folder / "tokenizer_config.json", "changed after loading");
  tokenizer.save_to(folder / "a/b");
  EXPECT_EQ(read_file(folder / "a/b/tokenizer.json"), read_file(golden / "gpt2/tokenizer.json"));
  EXPECT_EQ(read_file(folder / "a/b/tokenizer_config.json"), "{ \"eos_token\":\t\"<|end|>\" }\n");
  EXPECT_FALSE(fs::exists(folder / "a/b/merges.txt"));
}

TEST_F(TokenizerFolder, RefusesABrokenConfig) {
  EXPECT_THROW(load_with("gpt2", "{"), Error);
  EXPECT_THROW(load_with("gpt2", R"({"eos_token": 5})"), Error);
  EXPECT_THROW(load_with("gpt2", R"({"added_tokens_decoder": {"1": {"special": true}}})"), Error);
}

TEST(TokenizerDifference, NamesTheFirstIdsThatDiffer) {
  const Tokenizer gpt2 = Tokenizer::load(golden / "gpt2");
  const Tokenizer digits = Tokenizer::load(golden / "digits");
  const Tokenizer llama = Tokenizer::load(golden / "llama2");
  EXPECT_EQ(describe_difference(gpt2, gpt2, "student", "teacher"), "");
  const std::string text = describe_difference(gpt2, llama, "student", "teacher");
  EXPECT_NE(text.find("student has 300 tokens, teacher has"), text.npos) << text;
  EXPECT_NE(text.find("id 0 is \"<|end|>\" and \"<unk>\""), text.npos) << text;
  EXPECT_NE(gpt2.digest(), digits.digest());
  EXPECT_EQ(gpt2.digest(), Tokenizer::load(golden / "gpt2").digest());
}

TEST(TokenizerDigest, IsTheFilesSha256) {
  const Tokenizer tokenizer =
      Tokenizer::parse("tokenizer.json", R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[]}})");
  EXPECT_EQ(tokenizer.digest(), "fd638f243daed12fb4aaff022d7d3724fe064d76f4cc417f58308644ca20fcb3");
  EXPECT_EQ(tokenizer.token_of(7), "");
  EXPECT_EQ(tokenizer.id_of("a"), 0);
  EXPECT_EQ(tokenizer.id_of("b"), std::nullopt);
}

}  // namespace
}  // namespace alambic::tokenizer_folder_test
