#include "alambic/base/escape.h"

#include <gtest/gtest.h>

#include "alambic/base/log.h"

namespace alambic::escape_test {
namespace {

TEST(EscapeControls, EscapesWhatSteersATerminal) {
  EXPECT_EQ(escape_controls("a\x1b[2J\x7f\n\t", false), "a\\x1b[2J\\x7f\\x0a\\x09");
  EXPECT_EQ(escape_controls("a\r\n\tb", true), "a\\x0d\n\tb");
  EXPECT_EQ(escape_controls("\xc2\x9b é 語 \xc2", true), "\\x9b é 語 \xc2");
}

// Prevents: a file whose bad field, quoted in an error, changes what the terminal shows.
TEST(Say, EscapesControlCharacters) {
  testing::internal::CaptureStderr();
  say("field \x1b[31m\nnext");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "field \\x1b[31m\nnext\n");
}

}  // namespace
}  // namespace alambic::escape_test
