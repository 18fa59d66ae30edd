#include "alambic/text/final_answer.h"

#include <gtest/gtest.h>

namespace alambic::final_answer_test {
namespace {

TEST(FinalAnswer, IsTheNumberAfterTheLastMark) {
  const std::pair<const char*, std::optional<std::string>> table[] = {
      {"6 * 7 = 42\n#### 42", "42"},
      {"#### 42", "42"},
      {"####42", "42"},
      {"#### 1,234", "1234"},
      {"#### $18", "18"},
      {"#### $ 18.50", "18.50"},
      {"#### -3", "-3"},
      {"#### 7.", "7"},
      {"#### 7...", "7"},
      {"#### 0.5", "0.5"},
      {"#### 42 apples", "42"},
      {"#### 42\n#### 43", "43"},
      {"#### 42 and then 99", "42"},
      {"the completion is 42", std::nullopt},
      {"42 ####", std::nullopt},
      {"#### ", std::nullopt},
      {"#### x", std::nullopt},
      {"#### -", std::nullopt},
      {"#### .", std::nullopt},
      {"#### ,", std::nullopt},
      {"", std::nullopt},
  };
  for (const auto& [text, expected] : table) EXPECT_EQ(final_answer(text), expected) << text;
}

// A grader that looks anywhere in the text rewards a student that lists numbers.
TEST(AnswersCorrectly, ComparesNumbersNotSpellings) {
  EXPECT_TRUE(answers_correctly("#### 7", "7"));
  EXPECT_TRUE(answers_correctly("#### 7.0", "7"));
  EXPECT_TRUE(answers_correctly("#### 1,000", "1000"));
  EXPECT_TRUE(answers_correctly("#### 1000", "1,000"));
  EXPECT_TRUE(answers_correctly("#### 5", "$5"));
  EXPECT_TRUE(answers_correctly("#### 5", "2 + 3 = 5\n#### 5"));  // GSM8K's own completions
  EXPECT_FALSE(answers_correctly("7", "7"));
  EXPECT_FALSE(answers_correctly("7 #### 8", "7"));
  EXPECT_FALSE(answers_correctly("#### 70", "7"));
  EXPECT_FALSE(answers_correctly("#### -7", "7"));
  EXPECT_FALSE(answers_correctly("#### 1.2.3", "1.2"));
  EXPECT_FALSE(answers_correctly("", ""));
  EXPECT_FALSE(answers_correctly("####", "no number"));
}

// A word for an answer was once never right, and as doubles long numbers are one.
TEST(AnswersCorrectly, ComparesWordsAndAllDigits) {
  EXPECT_TRUE(answers_correctly("So\n#### Paris.", "Paris"));
  EXPECT_TRUE(answers_correctly("#### True", "#### True\n"));
  EXPECT_FALSE(answers_correctly("#### paris", "Paris"));
  EXPECT_FALSE(answers_correctly("Paris", "Paris"));
  EXPECT_FALSE(answers_correctly("#### ", " "));
  EXPECT_TRUE(answers_correctly("#### 007", "7"));
  EXPECT_FALSE(answers_correctly("#### 12345678901234567891", "12345678901234567890"));
  const std::vector<std::string> accepted = {"yes", "7"};
  EXPECT_TRUE(answers_correctly("#### 7.0", accepted));
  EXPECT_TRUE(answers_correctly("#### yes", accepted));
  EXPECT_FALSE(answers_correctly("#### no", accepted));
}

}  // namespace
}  // namespace alambic::final_answer_test
