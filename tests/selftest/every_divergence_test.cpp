// A test for each property of each divergence, and how a property is judged.
#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/selftest/every_divergence.h"
#include "tests/objective/problem.h"

namespace alambic::every_divergence_test {
namespace {

struct Claim {
  DivergenceProperty property;
  DivergenceCase divergence;
};

std::ostream& operator<<(std::ostream& out, const Claim& claim) {
  return out << claim.property.says << ", prevents: " << claim.property.prevents;
}

std::vector<Claim> claims() {
  std::vector<Claim> result;
  for (const DivergenceProperty& property : properties_of_a_divergence()) {
    for (const DivergenceCase& c : divergence_cases()) result.push_back({property, c});
  }
  return result;
}

class EveryDivergence : public testing::TestWithParam<Claim> {};

INSTANTIATE_TEST_SUITE_P(All, EveryDivergence, testing::ValuesIn(claims()), [](const auto& info) {
  return info.param.property.id + "_" + info.param.divergence.name;
});

TEST_P(EveryDivergence, Has) {
  Deviation worst;
  GetParam().property.check(GetParam().divergence, worst);
  EXPECT_TRUE(worst.holds()) << worst.where;
}

// A property that could not fail would prove nothing.
TEST(Deviation, FailsOnWhatIsTooFarOrNoNumber) {
  const auto holds = [](double found, double allowed) {
    Deviation worst;
    worst.add(0.5, 1, "half");
    worst.add(found, allowed, "here");
    EXPECT_EQ(worst.where.starts_with("here"), !worst.holds());
    return worst.holds();
  };
  EXPECT_TRUE(holds(0, 0));
  EXPECT_TRUE(holds(1e-7, 1e-6));
  EXPECT_FALSE(holds(1e-5, 1e-6));
  EXPECT_FALSE(holds(1e-5, 0));
  EXPECT_FALSE(holds(std::nan(""), 1));
  EXPECT_FALSE(holds(1, std::nan("")));
  EXPECT_FALSE(holds(INFINITY, INFINITY));
  Deviation worst;
  worst.expect(false, "not so");
  EXPECT_FALSE(worst.holds());
}

TEST(Judge, CountsWhatThrowsAsFailed) {
  const auto verdict = [](std::function<void(Deviation&)> check) {
    return judge({.id = "", .says = "", .prevents = "", .check = std::move(check)});
  };
  EXPECT_TRUE(verdict([](Deviation& worst) { worst.add(1, 2, "near"); }).holds);
  EXPECT_FALSE(verdict([](Deviation& worst) { worst.add(2, 1, "far"); }).holds);
  const Verdict thrown = verdict([](Deviation&) { throw bug("a shape of {}", 3); });
  EXPECT_FALSE(thrown.holds);
  EXPECT_NE(thrown.where.find("a shape of 3"), std::string::npos);
  EXPECT_THROW(verdict([](Deviation&) { throw environment_error("no disk"); }), Error);
}

}  // namespace
}  // namespace alambic::every_divergence_test
