#include "alambic/base/names.h"

#include <gtest/gtest.h>

namespace alambic::names_test {
namespace {

TEST(NearestName, FindsATypingError) {
  EXPECT_EQ(nearest_name("learning-rat", {"learning-rate", "batch-size"}), "learning-rate");
  EXPECT_EQ(nearest_name("lamda", {"lmbda", "seed"}), "lmbda");
}

TEST(NearestName, SuggestsNothingForAStranger) {
  EXPECT_EQ(nearest_name("xyzzy", {"learning-rate", "batch-size"}), "");
}

TEST(EditDistance, CountsInsertionsDeletionsAndSubstitutions) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("same", "same"), 0);
}

}  // namespace
}  // namespace alambic::names_test
