#include "alambic/base/environment.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "alambic/base/error.h"

namespace alambic::environment_test {
namespace {

constexpr const char* kName = "ALAMBIC_TEST_CHOICE";

std::optional<std::string> choice(const std::string& value) {
  ::setenv(kName, value.c_str(), 1);
  return environment_choice(kName, {"required", "none"}, "it is as it can be");
}

// Prevents a misspelled value from being taken as if the variable were not set, and an empty one
// from being refused.
TEST(EnvironmentChoice, IsOneOfTheValuesOrAnError) {
  EXPECT_EQ(choice("none"), "none");
  EXPECT_EQ(choice(""), std::nullopt);
  try {
    choice("None");
    FAIL() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    EXPECT_STREQ(
        error.what(),
        "the environment variable ALAMBIC_TEST_CHOICE is 'None', expected required or none");
    EXPECT_EQ(error.hint(), "unset, it is as it can be");
  }
  ::unsetenv(kName);
}

}  // namespace
}  // namespace alambic::environment_test
