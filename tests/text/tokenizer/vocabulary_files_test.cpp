// Folders without tokenizer.json against transformers' converters
// (tools/goldens/make_vocabulary_files.py).
#include "alambic/text/tokenizer/vocabulary_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic::vocabulary_files_test {
namespace {

const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden";

class VocabularyFiles : public testing::TestWithParam<const char*> {};

TEST_P(VocabularyFiles, GiveTheIdsOfTransformers) {
  const auto texts = nlohmann::json::parse(read_file(golden / "tokenizers/expected.json"))["texts"]
                         .get<std::vector<std::string>>();
  const auto expected = nlohmann::json::parse(
      read_file(golden / "vocabulary_files/expected.json"))["cases"][GetParam()];
  const Tokenizer tokenizer = Tokenizer::load(golden / "vocabulary_files" / GetParam());
  ASSERT_EQ(texts.size(), expected.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(tokenizer.encode(texts[i], false), expected[i].get<std::vector<int32_t>>())
        << testing::PrintToString(texts[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, VocabularyFiles, testing::Values("tiktoken", "gpt2", "qwen2"));

std::string error_of(const std::string& ranks) {
  try {
    Tokenizer::parse("x", tokenizer_json_of_tiktoken("x.tiktoken", ranks, "a"));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(TiktokenFile, IsReadStrictly) {
  EXPECT_EQ(error_of("YQ== 0\r\nYg== 1\n\nYWI= 2"), "");
  EXPECT_NE(error_of("YQ== 0\nYg==").find("line 2: expected a token in base64"), std::string::npos);
  EXPECT_NE(error_of("YQ== -1").find("line 1"), std::string::npos);
  EXPECT_NE(error_of("YQ== 1x").find("line 1"), std::string::npos);
  EXPECT_NE(error_of("Y?== 0").find("line 1: this is not base64"), std::string::npos);
  EXPECT_NE(error_of("YQ= 0").find("cannot be base64"), std::string::npos);
  EXPECT_NE(error_of("YQ== 0\nYg== 0").find("the rank 0 is there twice"), std::string::npos);
  EXPECT_NE(error_of("YQ== 0\nYQ== 1").find("the token of rank 1 is there twice"),
            std::string::npos);
  EXPECT_NE(error_of("YQ== 2000000000").find("largest id is 2000000000"), std::string::npos);
}

TEST(MergesFile, IsReadStrictly) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("alambic-merges-{}", ::getpid());
  fs::create_directories(folder);
  const auto load_error = [&](const char* vocabulary, const char* merges, const char* config) {
    write_file(folder / "vocab.json", vocabulary);
    write_file(folder / "merges.txt", merges);
    write_file(folder / "tokenizer_config.json", config);
    try {
      Tokenizer::load(folder);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const char* vocabulary = R"({"a": 0, "b": 1, "ab": 2})";
  EXPECT_EQ(load_error(vocabulary, "#version: 0.2\na b\n", "{}"), "");
  EXPECT_NE(load_error(vocabulary, "a b\na b c\n", "{}").find("merges.txt: line 2"),
            std::string::npos);
  EXPECT_NE(load_error(vocabulary, "a \xFF\n", "{}").find("merges.txt: line 1"), std::string::npos);
  EXPECT_NE(load_error(vocabulary, "a c\n", "{}").find("\"c\" is not in the vocabulary"),
            std::string::npos);
  EXPECT_NE(load_error(R"({"a": 0)", "", "{}").find("vocab.json is not valid JSON"),
            std::string::npos);
  EXPECT_NE(load_error(vocabulary, "", R"({"tokenizer_class": "CLIPTokenizer"})")
                .find("\"CLIPTokenizer\" is not built from vocab.json"),
            std::string::npos);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace alambic::vocabulary_files_test
