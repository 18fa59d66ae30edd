#include "alambic/base/timeline.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace alambic::timeline_test {
namespace {

// Prevents a trace that a viewer refuses, and messages that hide under the wait for them.
TEST(Timeline, HasSpansAndMessages) {
  Timeline timeline(3);
  timeline.span("phases", "learn");
  timeline.sent("weights");
  timeline.sent("weights");
  timeline.span("waits", "weights");
  timeline.arrived("weights");
  timeline.span("waits", "");
  timeline.span("phases", "update");
  timeline.arrived("unknown");
  const auto trace = nlohmann::json::parse(timeline.json());
  ASSERT_EQ(trace.size(), 7U);  // three spans, two messages with begin and end
  int begins = 0, ends = 0;
  for (const auto& event : trace) {
    EXPECT_EQ(event["pid"], 3);
    begins += event["ph"] == "b";
    ends += event["ph"] == "e";
    EXPECT_GE(event.value("dur", 0), 0);
  }
  EXPECT_EQ(begins, 2);
  EXPECT_EQ(ends, 2);
}

}  // namespace
}  // namespace alambic::timeline_test
