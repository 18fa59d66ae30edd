// What --profile shows of messages between ranks.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/program/torch/ranks_fixture.h"

namespace alambic::profile_test {
namespace {

using Json = nlohmann::ordered_json;

struct Span {
  std::string name;
  int64_t begin = 0, end = 0;  // microseconds
};

// The spans of a track of a trace, in their order.
std::vector<Span> spans_of(const Json& trace, const std::string& track) {
  std::vector<Span> spans;
  for (const Json& event : trace) {
    if (event["cat"] != track) continue;
    const int64_t begin = event["ts"];
    spans.push_back({event["name"], begin, begin + event["dur"].get<int64_t>()});
  }
  return spans;
}

std::vector<Span> messages_of(const Json& trace, const std::string& name) {
  std::map<int64_t, Span> messages;
  for (const Json& event : trace) {
    if (event["cat"] != "messages" || event["name"] != name) continue;
    Span& message = messages[event["id"].get<int64_t>()];
    (event["ph"] == "b" ? message.begin : message.end) = event["ts"];
  }
  std::vector<Span> spans;
  for (const auto& [id, message] : messages) spans.push_back(message);
  return spans;
}

// Whether it travels all the time from one wait to the next: what the rank did there hid it.
bool is_hidden(const Span& message, const std::vector<Span>& waits) {
  for (size_t i = 1; i < waits.size(); ++i) {
    const int64_t begin = waits[i - 1].end, end = waits[i].begin;
    if (end > begin && message.begin <= begin && message.end >= end) return true;
  }
  return false;
}

// Prevents a layer whose weights are asked for when they are needed, and a trace that does not show
// what travels beside computing. Of each pass over three layers the first one's message is waited
// for at once; the other two come while the layer before runs.
TEST_F(Ranks, ShowTheNextLayerTravelBesideThePresentOne) {
  init_tiny_llama(folder / "deep", "5", /*layers=*/3);
  const Outcome outcome = launch(2, with_options(distill("run", "--zero-stage 3 --profile"),
                                                 "--max-steps 2 --student " + at("deep")));
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  for (const char* rank : {"rank-00000.json", "rank-00001.json"}) {
    const Json trace = Json::parse(read_file(folder / "run/profile" / rank));
    const std::vector<Span> waits = spans_of(trace, "waits");
    const std::vector<Span> messages = messages_of(trace, "weights for learning of the student");
    const auto hidden = std::ranges::count_if(
        messages, [&](const Span& message) { return is_hidden(message, waits); });
    EXPECT_GE(messages.size(), 2 * 2 * 3) << rank;  // steps, passes there and back, layers
    EXPECT_EQ(3 * hidden, 2 * std::ssize(messages)) << rank;
  }
}

}  // namespace
}  // namespace alambic::profile_test
