#include "alambic/base/utf8.h"

#include <gtest/gtest.h>

namespace alambic::utf8_test {
namespace {

// The expectations are Python's bytes.decode("utf-8", "replace").
TEST(Utf8, ReplacesEachMaximalBrokenPart) {
  EXPECT_EQ(replace_invalid_utf8("abc \xC3\xA9"), "abc é");
  EXPECT_EQ(replace_invalid_utf8("\x80"), "\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xE2\x82"), "\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xE2\x82z"), "\uFFFDz");
  EXPECT_EQ(replace_invalid_utf8("\xC0\xAF"), "\uFFFD\uFFFD");            // overlong
  EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x98"), "\uFFFD");              // three of four bytes
  EXPECT_EQ(replace_invalid_utf8("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xF8\x88"), "\uFFFD\uFFFD");
}

TEST(Utf8, ReadsWhatItWrites) {
  for (const char32_t c : {U'a', U'\u00E9', U'\u0800', U'\uFFFD', U'\U00010000', U'\U0010FFFF'}) {
    std::string text;
    append_utf8(text, c);
    size_t position = 0;
    EXPECT_EQ(next_code_point(text, position), c);
    EXPECT_EQ(position, text.size());
    EXPECT_EQ(utf8_length(static_cast<unsigned char>(text[0])), text.size());
  }
}

TEST(Utf8, KnowsUnicodesSpaces) {
  for (const char32_t c : {U' ', U'\t', U'\n', U'\u0085', U'\u00A0', U'\u3000'}) {
    EXPECT_TRUE(is_space(c));
  }
  for (const char32_t c : {U'a', U'\u180E', U'\u200B', U'\uFEFF'}) EXPECT_FALSE(is_space(c));
}

}  // namespace
}  // namespace alambic::utf8_test
