#include "alambic/text/tokenizer/stream_decoder.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/utf8.h"

namespace alambic::stream_decoder_test {
namespace {

const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers";

class StreamDecoderShapes : public testing::TestWithParam<const char*> {};

TEST_P(StreamDecoderShapes, MakesUpTheDecodedTextOutOfWholeCharacters) {
  const Tokenizer tokenizer = Tokenizer::load(golden / GetParam());
  const auto expected = nlohmann::json::parse(read_file(golden / "expected.json"));
  for (const std::string text : expected["texts"]) {
    const auto ids = tokenizer.encode(text);
    StreamDecoder stream(tokenizer);
    std::string sum;
    for (const int32_t id : ids) {
      const std::string piece = stream.push(id);
      EXPECT_TRUE(is_valid_utf8(piece));
      EXPECT_EQ(piece.find("\uFFFD"), piece.npos);
      sum += piece;
    }
    EXPECT_EQ(sum + stream.finish(), tokenizer.decode(ids, true)) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, StreamDecoderShapes,
                         testing::Values("gpt2", "llama2", "llama3", "metaspace_first"));

TEST(StreamDecoder, GivesOutBrokenTextInTheEnd) {
  const Tokenizer tokenizer = Tokenizer::load(golden / "gpt2");
  const auto ids = tokenizer.encode("a👍");
  StreamDecoder stream(tokenizer);
  EXPECT_EQ(stream.push(ids[0]), "a");
  EXPECT_EQ(stream.push(ids[1]), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.push(ids[0]), "a");  // and starts afresh
}

TEST(StreamDecoder, DoesNotWaitForeverForACharacter) {
  const Tokenizer tokenizer = Tokenizer::load(golden / "gpt2");
  const int32_t broken = tokenizer.encode("👍")[1];
  StreamDecoder stream(tokenizer);
  std::string sum;
  for (int i = 0; i < 20; ++i) sum += stream.push(broken);
  EXPECT_GE(sum.size(), 10 * std::string("\uFFFD").size());
}

}  // namespace
}  // namespace alambic::stream_decoder_test
