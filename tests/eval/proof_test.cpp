// The properties of kernels and small models that `alambic selftest` runs.
#include "alambic/eval/proof.h"

#include <gtest/gtest.h>

namespace alambic::proof {
namespace {

std::vector<Property> laws() {
  std::vector<Property> all = kernel_laws();
  for (const Property& property : model_laws()) all.push_back(property);
  return all;
}

class Law : public testing::TestWithParam<Property> {};

INSTANTIATE_TEST_SUITE_P(All, Law, testing::ValuesIn(laws()),
                         [](const auto& info) { return info.param.id; });

TEST_P(Law, Holds) {
  const Verdict verdict = judge(GetParam());
  EXPECT_TRUE(verdict.holds) << verdict.where << "; prevents: " << GetParam().prevents;
}

}  // namespace
}  // namespace alambic::proof
