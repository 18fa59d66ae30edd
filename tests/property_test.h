// A test for each property that `alambic selftest` runs of a room. The including file says which by
// INSTANTIATE_TEST_SUITE_P(All, Law, testing::ValuesIn(…), property_name).
#pragma once

#include <gtest/gtest.h>

#include "alambic/selftest/property.h"

namespace alambic::selftest {

class PropertyTest : public testing::TestWithParam<Property> {};

TEST_P(PropertyTest, Holds) {
  const Verdict verdict = judge(GetParam());
  EXPECT_TRUE(verdict.holds) << verdict.where << "; prevents: " << GetParam().prevents;
}

inline std::string property_name(const testing::TestParamInfo<Property>& info) {
  return info.param.id;
}

}  // namespace alambic::selftest
