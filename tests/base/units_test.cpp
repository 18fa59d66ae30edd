#include "alambic/base/units.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace alambic::units_test {
namespace {

TEST(Units, SeparateThousandsOfNegativeNumbersToo) {
  EXPECT_EQ(with_separators(0), "0");
  EXPECT_EQ(with_separators(999), "999");
  EXPECT_EQ(with_separators(-999), "-999");
  EXPECT_EQ(with_separators(1234567), "1,234,567");
  EXPECT_EQ(with_separators(-123456), "-123,456");
  EXPECT_EQ(with_separators(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(Units, CountsRoundIntoTheNextPrefix) {
  EXPECT_EQ(human_count(950), "950");
  EXPECT_EQ(human_count(999.7), "1.00 k");
  EXPECT_EQ(human_count(12'345'678), "12.3 M");
  EXPECT_EQ(human_count(999'950), "1.00 M");
  EXPECT_EQ(human_count(-1500), "-1.50 k");
  EXPECT_EQ(human_count(0.25), "0.25");
  EXPECT_EQ(human_count(0), "0");
}

TEST(Units, BytesUseBinaryPrefixes) {
  EXPECT_EQ(human_bytes(512), "512 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.00 KiB");
  EXPECT_EQ(human_bytes(1.5 * (1 << 30)), "1.50 GiB");
}

TEST(Units, DurationsShowHoursOnlyWhenThereAreSome) {
  EXPECT_EQ(human_duration(5), "0:05");
  EXPECT_EQ(human_duration(59.6), "1:00");
  EXPECT_EQ(human_duration(3723), "1:02:03");
  EXPECT_EQ(human_duration(-1), "-:--");
  EXPECT_EQ(human_duration(std::numeric_limits<double>::infinity()), "-:--");
  EXPECT_EQ(human_duration(std::nan("")), "-:--");
}

}  // namespace
}  // namespace alambic::units_test
