#include "alambic/eval/rouge.h"

#include <gtest/gtest.h>

namespace alambic::rouge_test {
namespace {

// Values by hand from the definition; rouge_score 0.1.2 (use_stemmer=False) gives the same.
TEST(RougeL, HasTheValuesOfTheDefinition) {
  const std::string reference = "police killed the gunman";
  EXPECT_DOUBLE_EQ(rouge_l("police kill the gunman", reference), 0.75);  // Lin's own example
  EXPECT_DOUBLE_EQ(rouge_l("the gunman kill police", reference), 0.5);
  EXPECT_DOUBLE_EQ(rouge_l("the gunman police killed", reference), 0.5);
  // 6 words and 4, three in common: P = 1/2, R = 3/4, F = 0.6.
  EXPECT_DOUBLE_EQ(rouge_l("police a b killed c gunman", reference), 0.6);
  EXPECT_DOUBLE_EQ(rouge_l(reference, "police a b killed c gunman"), 0.6);
}

TEST(RougeL, ReadsWordsAsRougeScoreDoes) {
  EXPECT_DOUBLE_EQ(rouge_l("The CAT, sat!", "the cat sat"), 1);
  EXPECT_DOUBLE_EQ(rouge_l("don't", "don t"), 1);
  EXPECT_DOUBLE_EQ(rouge_l("caf\xc3\xa9", "caf"), 1);  // letters and digits of ASCII alone
  EXPECT_DOUBLE_EQ(rouge_l("a a a", "a"), 0.5);        // a word counts as often as it stands
}

// 0/0 must be 0.
TEST(RougeL, IsZeroWithoutWordsInCommon) {
  EXPECT_EQ(rouge_l("", ""), 0);
  EXPECT_EQ(rouge_l("", "a"), 0);
  EXPECT_EQ(rouge_l("...", "a"), 0);
  EXPECT_EQ(rouge_l("b", "a"), 0);
}

}  // namespace
}  // namespace alambic::rouge_test
