// `alambic selftest` from outside. The properties themselves are tested in their rooms.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/program/program.h"

namespace alambic::selftest_test {
namespace {

using Json = nlohmann::json;

TEST(Selftest, NamesPropertiesAndTheBugsTheyPrevent) {
  const Outcome lines = alambic("selftest --threads 1 --only 'bit for bit'");
  EXPECT_EQ(lines.code, 0) << lines.text;
  EXPECT_NE(lines.text.find("pass  a cached teacher gives the live one's loss bit for bit | "
                            "prevents: a cache of other rows"),
            std::string::npos)
      << lines.text;
  EXPECT_NE(lines.text.find("1 properties hold, 0 do not"), std::string::npos) << lines.text;
  const Outcome one = alambic("selftest --json --only KnownDistributionsGiveTheirClosedForms");
  EXPECT_EQ(one.code, 0) << one.text;
  const Json json = Json::parse(one.text);
  EXPECT_EQ(json["held"], 1);
  EXPECT_EQ(json["failed"], 0);
  EXPECT_EQ(json["properties"][0]["id"], "KnownDistributionsGiveTheirClosedForms");
  EXPECT_EQ(json["properties"][0]["holds"], true);
  const Outcome none = alambic("selftest --only 'free lunch'");
  EXPECT_EQ(none.code, 2) << none.text;
  EXPECT_NE(none.text.find("free lunch"), std::string::npos) << none.text;
}

TEST(SelftestSlow, HoldsAsAWholeWithinAMinute) {
  const Outcome run = alambic("selftest --json");
  ASSERT_EQ(run.code, 0) << run.text;
  const Json json = Json::parse(run.text);
  EXPECT_EQ(json["failed"], 0);
  EXPECT_GE(json["held"], 30);
  EXPECT_LT(json["seconds"], 60);
}

}  // namespace
}  // namespace alambic::selftest_test
