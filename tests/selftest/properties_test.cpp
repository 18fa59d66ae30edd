// A test for each property that `alambic selftest` runs, but those of every divergence.
#include <gtest/gtest.h>

#include "alambic/selftest/machine_properties.h"
#include "alambic/selftest/objective_properties.h"
#include "alambic/selftest/training_properties.h"

namespace alambic::selftest::properties_test {
namespace {

std::vector<Property> properties() {
  std::vector<Property> all;
  for (const auto& more :
       {kernel_properties(), divergence_properties(), topk_properties(), hidden_properties(),
        policy_properties(), numeric_properties(), model_properties(), training_properties()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

class PropertyTest : public testing::TestWithParam<Property> {};

INSTANTIATE_TEST_SUITE_P(All, PropertyTest, testing::ValuesIn(properties()),
                         [](const auto& info) { return info.param.id; });

TEST_P(PropertyTest, Holds) {
  const Verdict verdict = judge(GetParam());
  EXPECT_TRUE(verdict.holds) << verdict.where << "; prevents: " << GetParam().prevents;
}

}  // namespace
}  // namespace alambic::selftest::properties_test
