// The properties of training that `alambic selftest` runs.
#include "alambic/train/proof.h"

#include <gtest/gtest.h>

namespace alambic::proof {
namespace {

class Law : public testing::TestWithParam<Property> {};

INSTANTIATE_TEST_SUITE_P(All, Law, testing::ValuesIn(training_laws()),
                         [](const auto& info) { return info.param.id; });

TEST_P(Law, Holds) {
  const Verdict verdict = judge(GetParam());
  EXPECT_TRUE(verdict.holds) << verdict.where << "; prevents: " << GetParam().prevents;
}

}  // namespace
}  // namespace alambic::proof
