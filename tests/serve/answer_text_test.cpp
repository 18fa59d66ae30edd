#include "alambic/serve/answer_text.h"

#include <gtest/gtest.h>

#include "tests/serve/serve_fixture.h"

namespace alambic::answer_text_test {
namespace {

std::vector<int32_t> ids(const std::string& text) { return byte_tokenizer().encode(text, false); }

// Parts that the text comes in, token by token.
std::vector<std::string> parts(const std::string& text, const std::vector<std::string>& stops) {
  AnswerText answer(byte_tokenizer(), {}, stops);
  std::vector<std::string> parts;
  for (const int32_t id : ids(text)) parts.push_back(answer.push(id));
  parts.push_back(answer.finish());
  return parts;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += part;
  return text;
}

// Prevents: a stop string's beginning that was streamed before the stop string was known.
TEST(AnswerText, HoldsBackWhatMayBeginAStopString) {
  using Parts = std::vector<std::string>;
  EXPECT_EQ(parts("xEN", {"END"}), (Parts{"x", "", "", "EN"}));
  EXPECT_EQ(parts("xENy", {"END"}), (Parts{"x", "", "", "ENy", ""}));
  EXPECT_EQ(parts("xENDy", {"END"}), (Parts{"x", "", "", "", "", ""}));
  EXPECT_EQ(parts("aab", {"ab"}), (Parts{"", "a", "", ""}));
  EXPECT_EQ(joined(parts("one\n\ntwo", {"\n\n"})), "one");
}

// Prevents: the longer or the first listed stop string winning over the one that comes first.
TEST(AnswerText, EndsAtTheFirstStopString) {
  AnswerText answer(byte_tokenizer(), {}, {"cd", "bc"});
  std::string text;
  for (const int32_t id : ids("abcd")) text += answer.push(id);
  EXPECT_EQ(text + answer.finish(), "a");
  EXPECT_EQ(answer.stopped_by(), "bc");
}

// Prevents: half a character in a part, which a client shows as U+FFFD.
TEST(AnswerText, KeepsCharactersWhole) {
  for (const std::string& part : parts("né🚀", {})) {
    EXPECT_EQ(part.find("\xEF\xBF\xBD"), part.npos);
  }
  EXPECT_EQ(joined(parts("né🚀", {})), "né🚀");
  EXPECT_EQ(joined(parts("né🚀", {"🚀"})), "né");
}

// Prevents: bytes of a character shown as the replacement character, the same for all of them.
TEST(AnswerText, NamesTokensByTheirBytes) {
  EXPECT_EQ(token_text(byte_tokenizer(), ids("a")[0]), "a");
  EXPECT_EQ(token_text(byte_tokenizer(), ids("é")[0]), "bytes:\\xc3");
  EXPECT_EQ(token_bytes(byte_tokenizer(), ids("é")[1]), "\xa9");
  EXPECT_EQ(token_text(byte_tokenizer(), 0), "</s>");
}

}  // namespace
}  // namespace alambic::answer_text_test
