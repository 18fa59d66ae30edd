// Real vocabularies from ../shared against llama.cpp's expectations and transformers'.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "alambic/text/tokenizer/tokenizer.h"
#include "tests/shared_data.h"
#include "tests/text/tokenizer/gguf_vocabulary.h"

namespace alambic::tokenizer_shared_test {
namespace {

using Ids = std::vector<int32_t>;

std::vector<std::string> inputs(const fs::path& path) {
  const std::string file = read_file(path);
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::vector<std::string> texts;
  size_t begin = 0;
  for (size_t end; (end = file.find(separator, begin)) != file.npos;
       begin = end + separator.size()) {
    texts.push_back(file.substr(begin, end - begin));
  }
  // llama.cpp's reader drops what follows the last separator.
  return texts;
}

std::vector<Ids> outputs(const fs::path& path) {
  std::istringstream lines(read_file(path));
  std::vector<Ids> rows;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream numbers(line);
    rows.emplace_back(std::istream_iterator<int32_t>(numbers), std::istream_iterator<int32_t>());
  }
  return rows;
}

void expect_llama_cpp(const Tokenizer& tokenizer, const fs::path& folder, const char* expected) {
  const auto texts = inputs(folder / "ggml-vocab-ALL.gguf.inp");
  const auto rows = outputs(folder / expected);
  ASSERT_GT(texts.size(), 40u);
  ASSERT_EQ(texts.size(), rows.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(tokenizer.encode(texts[i], false), rows[i]) << testing::PrintToString(texts[i]);
  }
}

TEST(TokenizerShared, Gpt2GivesTheIdsOfLlamaCpp) {
  const auto shared = shared_data();
  if (!shared) GTEST_SKIP() << "no ../shared";
  const fs::path data = *shared / "data/tokenizers";
  const Tokenizer tokenizer = Tokenizer::load(data / "gpt2");
  expect_llama_cpp(tokenizer, data / "gguf-vocab", "ggml-vocab-gpt-2.gguf.out");
  EXPECT_EQ(tokenizer.size(), 50257);
  EXPECT_EQ(tokenizer.eos(), 50256);
}

TEST(TokenizerShared, Llama2GivesTheIdsOfLlamaCpp) {
  const auto shared = shared_data();
  if (!shared) GTEST_SKIP() << "no ../shared";
  const fs::path data = *shared / "data/tokenizers/gguf-vocab";
  const std::string json = tokenizer_json_of_gguf(data / "ggml-vocab-llama-spm.gguf");
  const Tokenizer tokenizer = Tokenizer::parse("llama-spm", json);
  EXPECT_EQ(tokenizer.size(), 32000);
  expect_llama_cpp(tokenizer, data, "ggml-vocab-llama-spm.gguf.out");
}

class TokenizerSharedFolder : public testing::TestWithParam<const char*> {};

// tools/goldens/make_tokenizers.py wrote what transformers gives for these folders.
TEST_P(TokenizerSharedFolder, GivesTheIdsOfTransformers) {
  const auto shared = shared_data();
  if (!shared) GTEST_SKIP() << "no ../shared";
  const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers";
  const auto expected =
      nlohmann::json::parse(read_file(golden / "shared.json"))["cases"][GetParam()];
  const auto texts = nlohmann::json::parse(read_file(golden / "expected.json"))["texts"]
                         .get<std::vector<std::string>>();
  const Tokenizer tokenizer = Tokenizer::load(*shared / "data" / GetParam());
  for (size_t i = 0; i < texts.size(); ++i) {
    const Ids ids = tokenizer.encode(texts[i]);
    EXPECT_EQ(ids, expected["ids"][i].get<Ids>()) << testing::PrintToString(texts[i]);
    const auto& decoded = expected["decoded_skip"][i];
    EXPECT_EQ(tokenizer.decode(ids, true),
              decoded.is_null() ? texts[i] : decoded.get<std::string>());
  }
  const auto id = [](const std::optional<int32_t>& value) {
    return value ? nlohmann::json(*value) : nlohmann::json();
  };
  EXPECT_EQ(id(tokenizer.bos()), expected["bos"]);
  EXPECT_EQ(id(tokenizer.eos()), expected["eos"]);
  EXPECT_EQ(id(tokenizer.pad()), expected["pad"]);
  EXPECT_EQ(tokenizer.size(), expected["size"].get<int64_t>());
}

INSTANTIATE_TEST_SUITE_P(Folders, TokenizerSharedFolder,
                         testing::Values("stories260K/hf", "tokenizers/torchtitan",
                                         "tokenizers/gpt2"),
                         [](const auto& folder) {
                           std::string name = folder.param;
                           std::ranges::replace(name, '/', '_');
                           return name;
                         });

}  // namespace
}  // namespace alambic::tokenizer_shared_test
