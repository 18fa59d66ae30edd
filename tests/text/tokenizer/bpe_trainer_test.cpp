// Vocabularies learned from text, against Hugging Face's BpeTrainer
// (tools/goldens/bpe_training.py).
#include "alambic/text/tokenizer/bpe_trainer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic::bpe_trainer_test {
namespace {

using Json = nlohmann::json;

std::string train(const BpeTraining& options, const std::vector<std::string>& texts) {
  BpeTrainer trainer(options);
  for (const std::string& text : texts) trainer.add(text);
  return trainer.train();
}

// Prevents: ties broken in another way, overlapping pairs (aaaa) counted twice, stale counts.
TEST(BpeTrainer, LearnsTheMergesOfHuggingFace) {
  const Json golden =
      Json::parse(read_file(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/bpe_training.json"));
  const std::map<std::string, BpePattern> patterns = {
      {"gpt2", BpePattern::gpt2}, {"llama3", BpePattern::llama3}, {"qwen", BpePattern::qwen}};
  const auto texts = golden["texts"].get<std::vector<std::string>>();
  for (const Json& expected : golden["cases"]) {
    const std::string text = train({.vocabulary = expected["vocabulary"],
                                    .min_count = expected["least"],
                                    .pattern = patterns.at(expected["pattern"]),
                                    .special = {"<|endoftext|>", "<|x|>"}},
                                   texts);
    EXPECT_EQ(Json::parse(text)["model"]["merges"], expected["merges"]) << expected["pattern"];
    const Tokenizer tokenizer = Tokenizer::parse("trained", text);
    EXPECT_EQ(tokenizer.size(), expected["size"]);
    EXPECT_EQ(tokenizer.id_of("<|x|>"), 1);
    for (const std::string& line : texts) {
      EXPECT_EQ(tokenizer.decode(tokenizer.encode(line)), line) << expected["pattern"];
    }
  }
}

// Prevents: bytes that the text lacks having no token.
TEST(BpeTrainer, EveryByteHasAToken) {
  const Tokenizer tokenizer =
      Tokenizer::parse("trained", train({.vocabulary = 300, .special = {"</s>"}}, {"aa aa aa"}));
  EXPECT_EQ(tokenizer.size(), 1 + 256 + 2);  // "aa", " aa"
  const std::string strange = "\x01\x7f é 你 🚀 \n</s>";
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(strange)), strange);
  EXPECT_EQ(tokenizer.encode("</s>").front(), 0);
}

TEST(BpeTrainer, RefusesWhatCannotBe) {
  const auto error = [](const BpeTraining& options) {
    try {
      BpeTrainer trainer(options);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(error({.vocabulary = 257, .special = {"x"}}), "no error");
  EXPECT_NE(error({.vocabulary = 256, .special = {"x"}}).find("256 has no room"),
            std::string::npos);
  EXPECT_NE(error({.special = {"x", "x"}}).find("there twice"), std::string::npos);
  EXPECT_NE(error({.special = {""}}).find("empty"), std::string::npos);
}

}  // namespace
}  // namespace alambic::bpe_trainer_test
