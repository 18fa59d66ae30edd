#include "alambic/base/regex.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"

namespace alambic::regex_test {
namespace {

using Ranges = std::vector<Range>;

TEST(Regex, ReadsSpacesAndWordsAsOniguruma) {
  EXPECT_EQ(Regex("\\s").find_all("\u180E").size(), 0u);  // PCRE2's own \s has it
  EXPECT_EQ(Regex("\\s").find_all("\u0085\u3000").size(), 2u);
  EXPECT_EQ(Regex("[^\\s]").find_all("a \u180E").size(), 2u);
  EXPECT_EQ(Regex("\\w+").find_all("हिन्दी").size(), 1u);  // marks belong to a word
  EXPECT_EQ(Regex("[\\w]+").find_all("हिन्दी").size(), 1u);
  EXPECT_EQ(Regex("\\h+").find_all("xyz BEEF").size(), 1u);  // a hexadecimal digit in Ruby
}

TEST(Regex, LeavesEscapedBackslashesAlone) {
  EXPECT_EQ(translate_regex("\\\\s"), "\\\\s");
  EXPECT_EQ(translate_regex("[]s]"), "[]s]");
  EXPECT_EQ(translate_regex("[^]\\s]"), "[^]\\p{White_Space}]");
  EXPECT_EQ(translate_regex("[[:alpha:]\\d]"), "[\\p{Alphabetic}\\d]");
}

TEST(Regex, RefusesWhatPcre2WouldReadAsSomethingElse) {
  EXPECT_THROW(Regex("[\\p{L}&&[^\\p{Han}]]+"), Error);
  EXPECT_THROW(Regex("[a[bc]]"), Error);
  EXPECT_THROW(Regex("[[:punct:]]"), Error);
}

TEST(Regex, SaysWhereAPatternIsWrong) {
  try {
    Regex("ab(c");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("ab(c"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("byte 4"), std::string::npos) << error.what();
  }
}

TEST(Regex, FindsMatchesThatDoNotOverlap) {
  EXPECT_EQ(Regex("aa").find_all("aaaaa"), (Ranges{{0, 2}, {2, 4}}));
  EXPECT_EQ(Regex("x*").find_all("éx"), (Ranges{{0, 0}, {2, 3}, {3, 3}}));
  EXPECT_TRUE(Regex("x").find_all("").empty());
}

TEST(Regex, GivesUpOnRunawayPatterns) {
  EXPECT_THROW(Regex("(?:a+)+[bc]").find_all(std::string(60, 'a')), Error);
}

TEST(Regex, ReadsAMillionSpaces) {
  const Ranges ranges = Regex("\\s+(?!\\S)|\\s+|(?: |x)+y").find_all(std::string(1'000'000, ' '));
  EXPECT_EQ(ranges.size(), 1u);
}

}  // namespace
}  // namespace alambic::regex_test
