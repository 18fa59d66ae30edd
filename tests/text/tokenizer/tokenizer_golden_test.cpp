// Every supported shape of tokenizer.json against the `tokenizers` library
// (tools/goldens/make_tokenizers.py).
#include <gtest/gtest.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <thread>

#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic::tokenizer_golden_test {
namespace {

using Ids = std::vector<int32_t>;

const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers";

const nlohmann::json& expected() {
  static const nlohmann::json json = nlohmann::json::parse(read_file(golden / "expected.json"));
  return json;
}

// null stands for the text itself.
std::string text_or(const nlohmann::json& decoded, const std::string& text) {
  return decoded.is_null() ? text : decoded.get<std::string>();
}

class TokenizerGolden : public testing::TestWithParam<std::string> {
 protected:
  const Tokenizer tokenizer = Tokenizer::load(golden / GetParam());
  const nlohmann::json& expectation = expected()["cases"][GetParam()];
  const std::vector<std::string> texts = expected()["texts"];
};

TEST_P(TokenizerGolden, EncodesAsTheReference) {
  ASSERT_EQ(texts.size(), expectation["ids"].size());
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(tokenizer.encode(texts[i], false), expectation["ids"][i].get<Ids>())
        << "text " << i << ": " << testing::PrintToString(texts[i]);
  }
}

TEST_P(TokenizerGolden, PutsSpecialTokensAroundTheText) {
  EXPECT_EQ(tokenizer.encode("a"), expectation["around"][0].get<Ids>());
  EXPECT_EQ(tokenizer.encode("a", false), expectation["around"][1].get<Ids>());
}

TEST_P(TokenizerGolden, DecodesAsTheReference) {
  for (size_t i = 0; i < texts.size(); ++i) {
    const Ids ids = tokenizer.encode(texts[i]);
    EXPECT_EQ(tokenizer.decode(ids), text_or(expectation["decoded"][i], texts[i])) << "text " << i;
    EXPECT_EQ(tokenizer.decode(ids, true), text_or(expectation["decoded_skip"][i], texts[i]))
        << "text " << i;
  }
}

// Orders that no text has: broken UTF-8, marks in the middle, ids that no token has.
TEST_P(TokenizerGolden, DecodesIdsInAnyOrderAsTheReference) {
  for (size_t i = 0; i < expectation["shuffled"].size(); ++i) {
    EXPECT_EQ(tokenizer.decode(expectation["shuffled"][i].get<Ids>()),
              expectation["shuffled_decoded"][i])
        << "row " << i;
  }
}

TEST_P(TokenizerGolden, CountsItsTokensAsTheReference) {
  EXPECT_EQ(tokenizer.size(), expectation["size"].get<int64_t>());
}

std::vector<std::string> names() {
  std::vector<std::string> names;
  for (const auto& [name, value] : expected()["cases"].items()) names.push_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Shapes, TokenizerGolden, testing::ValuesIn(names()),
                         [](const auto& shape) { return shape.param; });

TEST(Tokenizer, EncodesTheSameFromManyThreads) {
  const Tokenizer tokenizer = Tokenizer::load(golden / "gpt2");
  const std::vector<std::string> texts = expected()["texts"];
  std::vector<std::vector<Ids>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        result.clear();
        for (const std::string& text : texts) result.push_back(tokenizer.encode(text));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, results[0]);
}

TEST(Tokenizer, GivesBackEveryTextWithBytes) {
  const Tokenizer tokenizer = Tokenizer::load(golden / "gpt2");
  for (const std::string text : expected()["texts"]) {
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
}

TEST(Tokenizer, ReadsBrokenBytesAsReplacementCharacters) {
  const Tokenizer tokenizer = Tokenizer::load(golden / "gpt2");
  EXPECT_EQ(tokenizer.encode("a\xFF z\xE2\x82"), tokenizer.encode("a\uFFFD z\uFFFD"));
}

TEST(Tokenizer, ReadsAMillionCharactersWithoutSpacesInSeconds) {
  const Tokenizer tokenizer = Tokenizer::load(golden / "llama2");
  const std::clock_t start = std::clock();  // the machine may be busy: CPU time
  const Ids ids = tokenizer.encode(std::string(1'000'000, 'a'), false);
  EXPECT_GT(ids.size(), 100'000u);
  EXPECT_LT(std::clock() - start, 5 * CLOCKS_PER_SEC);
}

}  // namespace
}  // namespace alambic::tokenizer_golden_test
