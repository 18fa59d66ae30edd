// tokenizer.model against the sentencepiece library (tools/goldens/sentencepiece_models.py).
#include "alambic/text/tokenizer/sentencepiece.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic::sentencepiece_test {
namespace {

const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden";

class SentencePiece : public testing::TestWithParam<const char*> {};

TEST_P(SentencePiece, GivesTheIdsOfTheLibrary) {
  const auto texts = nlohmann::json::parse(read_file(golden / "tokenizers/expected.json"))["texts"]
                         .get<std::vector<std::string>>();
  const auto expected =
      nlohmann::json::parse(read_file(golden / "sentencepiece/expected.json"))["cases"][GetParam()];
  const Tokenizer tokenizer = Tokenizer::load(golden / "sentencepiece" / GetParam());
  ASSERT_EQ(texts.size(), expected.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    if (expected[i].is_null()) continue;
    EXPECT_EQ(tokenizer.encode(texts[i], false), expected[i].get<std::vector<int32_t>>())
        << testing::PrintToString(texts[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, SentencePiece,
                         testing::Values("unigram", "unigram_bytes", "unigram_bare", "llama",
                                         "bpe"));

struct SentencePieceFile : testing::Test {
  void SetUp() override {
    folder = fs::temp_directory_path() / fmt::format("alambic-spm-{}", ::getpid());
    fs::create_directories(folder);
    bytes = read_file(golden / "sentencepiece/llama/tokenizer.model");
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string error(std::string_view model, const std::string& config = "{}") {
    write_file(folder / "tokenizer.model", model);
    write_file(folder / "tokenizer_config.json", config);
    try {
      Tokenizer::load(folder);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      return error.what();
    }
    return "";
  }
  fs::path folder;
  std::string bytes;
};

TEST_F(SentencePieceFile, TheClassTellsWhatIsPutAroundAText) {
  const auto ends = [&](const std::string& config) {
    EXPECT_EQ(error(bytes, config), "");
    const Tokenizer tokenizer = Tokenizer::load(folder);
    const auto ids = tokenizer.encode("a");
    return std::pair(tokenizer.token_of(ids.front()), tokenizer.token_of(ids.back()));
  };
  EXPECT_EQ(ends(R"({"tokenizer_class": "LlamaTokenizer"})").first, "<s>");
  EXPECT_EQ(ends("{}").first, "<s>");
  EXPECT_EQ(ends(R"({"tokenizer_class": "T5TokenizerFast"})").second, "</s>");
  EXPECT_NE(ends(R"({"tokenizer_class": "PreTrainedTokenizer"})").first, "<s>");
  EXPECT_NE(error(bytes, R"({"tokenizer_class": "XLMRobertaTokenizer"})")
                .find("\"XLMRobertaTokenizer\" is not read from tokenizer.model"),
            std::string::npos);
}

// Prevents: a crash, or a tokenizer that lacks its end. A cut that leaves whole pieces is a file of
// its own, which nothing tells from a shorter one.
TEST_F(SentencePieceFile, CutOrChangedFilesAreErrors) {
  int refused = 0, tried = 0;
  for (size_t size = 1; size < bytes.size(); size += 53, ++tried) {
    refused += !error(bytes.substr(0, size)).empty();
  }
  EXPECT_GT(refused, tried / 2);
  std::string lying = bytes;
  lying[1] = '\x7f';
  EXPECT_NE(error(lying).find("tokenizer.model"), std::string::npos);
  EXPECT_NE(error("\n\xff\xff\xff\xff\xff\xff\xff\xff\x7f").find("but only"), std::string::npos);
  EXPECT_NE(error("\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").find("ten bytes"),
            std::string::npos);
  EXPECT_NE(error("\n\x03\x0a\x01\xff").find("no text in UTF-8"), std::string::npos);
  EXPECT_NE(error("\n\x03\x0a\x01"
                  "a"
                  "\n\x03\x0a\x01"
                  "a")
                .find("are both \"a\""),
            std::string::npos);
  EXPECT_NE(error("\n\x03\x08\x01\x08").find("expected bytes"), std::string::npos);
}

// The first release of Llama 3 has tiktoken's ranks in a file of this name.
TEST_F(SentencePieceFile, TiktokensRanksMayHaveThisName) {
  EXPECT_EQ(error("YQ== 0\nYg== 1\nYWI= 2\n"), "");
  EXPECT_EQ(Tokenizer::load(folder).encode("ab", false), std::vector<int32_t>{2});
}

}  // namespace
}  // namespace alambic::sentencepiece_test
