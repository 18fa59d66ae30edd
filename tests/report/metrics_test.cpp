#include "alambic/report/metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "alambic/base/error.h"

namespace alambic::metrics_test {
namespace {

struct Metrics : testing::Test {
  fs::path path = fs::temp_directory_path() / fmt::format("alambic-metrics-{}.jsonl", ::getpid());
  ~Metrics() override { fs::remove(path); }
};

TEST_F(Metrics, KeepOrderTypesAndEveryBit) {
  MetricsRow row;
  row.add("step", int64_t{1});
  row.add("loss", 0.1 + 0.2);
  row.add("tiny", 5e-324);
  row.add("whole", 3.0);
  row.add("negative", std::numeric_limits<int64_t>::min());
  row.add("phase", "learn");
  MetricsWriter(path).append(row);
  const std::vector<MetricsRow> rows = read_metrics(path);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].entries, row.entries);
}

TEST_F(Metrics, WriteWhatIsNotFiniteAsNullAndReadItAsNan) {
  MetricsRow row;
  row.add("loss", std::nan(""));
  row.add("grad_norm", std::numeric_limits<double>::infinity());
  MetricsWriter(path).append(row);
  EXPECT_TRUE(read_file(path).starts_with("{\"loss\":null,\"grad_norm\":null,\"previous\":"));
  EXPECT_TRUE(std::isnan(read_metrics(path)[0].number("loss").value()));
}

TEST_F(Metrics, NumberIsNothingForAMissingNameAndForText) {
  write_file(path, "{\"phase\":\"learn\",\"done\":true,\"big\":18446744073709551615}\n");
  const MetricsRow row = read_metrics(path).at(0);
  EXPECT_FALSE(row.number("phase"));
  EXPECT_FALSE(row.number("loss"));
  EXPECT_EQ(row.number("done"), 1);
  EXPECT_EQ(row.number("big"), 0x1p64);
}

TEST_F(Metrics, RefuseANestedValueByName) {
  write_file(path, "{\"loss\":{\"value\":1}}\n");
  try {
    read_metrics(path);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    EXPECT_NE(std::string(error.what()).find("\"loss\" is object"), std::string::npos);
  }
}

}  // namespace
}  // namespace alambic::metrics_test
