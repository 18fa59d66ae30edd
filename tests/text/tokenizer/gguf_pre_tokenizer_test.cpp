// tokenizer.ggml.pre against llama.cpp (tools/goldens/gguf_pre_tokenizers.py).
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/files.h"
#include "alambic/io/gguf/tokenizer.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic::gguf_pre_tokenizer_test {
namespace {

// Prevents files whose words are cut in a way that we have no name for from being refused, and
// words from being cut elsewhere: the vocabulary's merges cross them.
TEST(GgufPreTokenizer, CutsWordsWhereLlamaCppDoes) {
  const fs::path path = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/gguf/pre_tokenizers.json";
  const auto golden = nlohmann::json::parse(read_file(path));
  for (const auto& [name, expected] : golden["expected"].items()) {
    GgufMetadata metadata("m.gguf");
    metadata.add("tokenizer.ggml.model", std::string("gpt2"));
    metadata.add("tokenizer.ggml.pre", name);
    for (const std::string key : {"tokens", "merges"}) {
      metadata.add("tokenizer.ggml." + key, GgufArray(golden[key].get<std::vector<std::string>>()));
    }
    const Tokenizer tokenizer = Tokenizer::from_files("m.gguf", tokenizer_of_gguf(metadata));
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(tokenizer.encode(golden["texts"][i].get<std::string>(), false),
                expected[i].get<std::vector<int32_t>>())
          << name << ": " << golden["texts"][i];
    }
  }
}

}  // namespace
}  // namespace alambic::gguf_pre_tokenizer_test
