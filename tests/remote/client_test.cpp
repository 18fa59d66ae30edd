// The client against a server that fails in every way.
#include "alambic/remote/client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "alambic/base/error.h"
#include "alambic/base/stopwatch.h"
#include "alambic/remote/token_grades.h"
#include "tests/loopback_server.h"

namespace alambic::client_test {
namespace {

constexpr const char* canary = "sk-canary-7f3a9c1e";

/// What happened to one request.
struct Told {
  std::vector<std::string> bodies;  // that were read
  std::optional<Error> error;
  std::vector<double> sleeps;
  size_t split = 0;
};

struct ClientTest : testing::Test {
  std::shared_ptr<Budget> budget = std::make_shared<Budget>(0, 0, Prices{});
  ClientOptions options{.seconds = 1, .retries = 2, .key_header = "Authorization: Bearer "};
  std::shared_ptr<const Secret> key = std::make_shared<const Secret>(canary);

  Told ask(const std::string& address, int64_t count = 1, int64_t parts = 1) {
    Told told;
    ClientOptions of = options;
    of.sleep = [&](double seconds) { told.sleeps.push_back(seconds); };
    Client client(parse_endpoint(address), key, of, budget);
    std::vector<Exchange> exchanges(static_cast<size_t>(count));
    for (size_t i = 0; i < exchanges.size(); ++i) {
      exchanges[i] = {.route = "/v1/x",
                      .body = "{\"n\":" + std::to_string(i) + "}",
                      .most = {.input_tokens = 10, .output_tokens = 1},
                      .parts = parts,
                      .max_bytes = 1000,
                      .read = [&](const Answer& answer) {
                        if (answer.body.find("good") == std::string::npos) {
                          throw MalformedReply("not good: " + answer.body);
                        }
                        told.bodies.push_back(answer.body);
                        return Usage{.input_tokens = 10, .output_tokens = 1};
                      }};
    }
    try {
      told.split = client.run(exchanges).size();
    } catch (const Error& error) {
      told.error = error;
    }
    return told;
  }

  /// Replies with these in turn, the last of them again and again.
  Told ask(std::vector<ServedReply> replies, int64_t parts = 1) {
    std::atomic<size_t> number = 0;
    LoopbackServer server(
        [&](const ServedRequest&) { return replies[std::min(number++, replies.size() - 1)]; });
    Told told = ask(server.address(), 1, parts);
    tries = server.requests().size();
    return told;
  }
  size_t tries = 0;
};

const ServedReply good{.body = "good"};

ServedReply status(int code, const std::string& body = "", std::vector<std::string> headers = {}) {
  return {.status = code, .body = body, .headers = std::move(headers)};
}

// The table: what passes is tried again, and its reply is read once.
TEST_F(ClientTest, TriesAgainWhatPasses) {
  const std::vector<ServedReply> passing = {
      status(408),
      status(409),
      status(425),
      status(429),
      status(500, "oops"),
      status(502, "<html>"),
      status(503),
      status(504),
      status(529),
      {.body = "good", .cut = 0},
      {.body = "good", .cut = 10},
      {.body = "good", .cut = 70},
      {.body = "bad"},                                              // malformed
      {.raw = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ngood"},  // shorter than it says
      {.raw = "nonsense\r\n\r\n"}};
  for (const ServedReply& reply : passing) {
    const Told told = ask({reply, good});
    EXPECT_FALSE(told.error) << reply.status << told.error->what();
    EXPECT_EQ(told.bodies, std::vector<std::string>{"good"}) << reply.status;
    EXPECT_EQ(tries, 2u) << reply.status;
  }
}

TEST_F(ClientTest, GivesUpOnWhatStays) {
  const struct {
    ServedReply reply;
    Exit exit;
    size_t tries;
  } cases[] = {{status(503), Exit::stopped, 3},
               {{.body = "good", .cut = 5}, Exit::stopped, 3},
               {{.body = "bad"}, Exit::stopped, 2},
               {{.body = std::string(2000, 'g')}, Exit::stopped, 2},  // too large
               {status(400, "no"), Exit::input, 1},
               {status(404), Exit::input, 1},
               {status(413), Exit::input, 1},
               {status(422), Exit::input, 1},
               {status(401, std::string("bad key ") + canary), Exit::environment, 1},
               {status(402), Exit::environment, 1},
               {status(403), Exit::environment, 1},
               {status(429, R"({"error":{"code":"insufficient_quota"}})"), Exit::environment, 1},
               {status(302, "", {"Location: http://127.0.0.1:1/elsewhere"}), Exit::environment, 1},
               {status(429, "", {"Retry-After: 100"}), Exit::stopped, 1}};
  for (const auto& [reply, exit, count] : cases) {
    const Told told = ask({reply});
    ASSERT_TRUE(told.error) << reply.status;
    EXPECT_EQ(told.error->exit(), exit) << told.error->what();
    EXPECT_EQ(tries, count) << told.error->what();
    EXPECT_TRUE(told.bodies.empty());
    EXPECT_EQ(std::string(told.error->what()).find("canary"), std::string::npos);
  }
}

TEST_F(ClientTest, WaitsAsLongAsItIsTold) {
  const Told told = ask({status(429, "", {"Retry-After: 0.7"}), good});
  ASSERT_FALSE(told.error);
  ASSERT_EQ(told.sleeps.size(), 1u);
  EXPECT_NEAR(told.sleeps[0], 0.7, 0.05);
}

// Bug: a server that never ends its reply holds the run for ever.
TEST_F(ClientTest, HangsAndDripsEndInBoundedTime) {
  options = {.seconds = 0.3, .retries = 0};
  for (const ServedReply& reply :
       {ServedReply{.body = "good", .hang = true}, ServedReply{.body = "good", .drip_ms = 50}}) {
    const Stopwatch watch;
    const Told told = ask({reply});
    ASSERT_TRUE(told.error);
    EXPECT_EQ(told.error->exit(), Exit::stopped);
    EXPECT_LT(watch.seconds(), 2);
  }
}

// Bug: a compressed reply of kilobytes fills the memory.
TEST_F(ClientTest, ARepliesSizeCountsUnpacked) {
  // gzip of 100,000 zero bytes
  const unsigned char packed[] = {
      0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xed, 0xc1, 0x31, 0x01, 0x00,
      0x00, 0x00, 0xc2, 0xa0, 0xf5, 0x4f, 0x6d, 0x0d, 0x0f, 0xa0, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x80, 0x57, 0x03, 0x7d, 0x95, 0x11, 0xd4, 0xa0, 0x86, 0x01, 0x00};
  const Told told = ask({{.body = std::string(reinterpret_cast<const char*>(packed), sizeof packed),
                          .headers = {"Content-Encoding: gzip"}}});
  ASSERT_TRUE(told.error);
  EXPECT_NE(std::string(told.error->what()).find("more than 1000 bytes"), std::string::npos);
}

TEST_F(ClientTest, ARefusedBatchComesBackToBeSplit) {
  const Told told = ask({status(400, "one of them")}, 3);
  EXPECT_FALSE(told.error);
  EXPECT_EQ(told.split, 1u);
}

TEST_F(ClientTest, NoServerAtAll) {
  const Told told = ask("http://127.0.0.1:1");
  ASSERT_TRUE(told.error);
  EXPECT_EQ(told.error->exit(), Exit::stopped);
}

// Bug: rows lost or read twice when some of many fail.
TEST_F(ClientTest, EachOfManyIsReadOnce) {
  options.retries = 8;
  std::atomic<int> number = 0;
  LoopbackServer server([&](const ServedRequest& request) {
    const int n = number++;
    if (n % 3 == 0) return status(503);
    if (n % 7 == 0) return ServedReply{.body = "good", .cut = 40};
    return ServedReply{.body = "good " + request.body};
  });
  Told told = ask(server.address(), 60);
  ASSERT_FALSE(told.error) << told.error->what();
  std::ranges::sort(told.bodies);
  EXPECT_EQ(told.bodies.size(), 60u);
  EXPECT_EQ(std::ranges::adjacent_find(told.bodies), told.bodies.end());
}

// Bug: a dead server is asked for every row of a data set, retries and all.
TEST_F(ClientTest, ADeadServerIsLeftAlone) {
  options.retries = 100;
  LoopbackServer server([](const ServedRequest&) { return status(500); });
  const Told told = ask(server.address(), 10);
  ASSERT_TRUE(told.error);
  EXPECT_EQ(told.error->exit(), Exit::stopped);
  EXPECT_LE(server.requests().size(), 40u);
}

TEST_F(ClientTest, StopsBeforeTheBudgetIsSpent) {
  budget = std::make_shared<Budget>(0, 35, Prices{});
  LoopbackServer server([](const ServedRequest&) { return good; });
  const Told told = ask(server.address(), 10);
  ASSERT_TRUE(told.error);
  EXPECT_EQ(told.error->exit(), Exit::stopped);
  EXPECT_EQ(told.bodies.size(), 3u) << "what was under way is read";
  EXPECT_EQ(budget->spent(), (Usage{.input_tokens = 30, .output_tokens = 3}));
}

// Bug: the key goes with a redirect to another host.
TEST_F(ClientTest, TheKeyIsForTheHostAlone) {
  LoopbackServer other([](const ServedRequest&) { return good; });
  LoopbackServer server([&](const ServedRequest&) {
    return status(307, "", {"Location: " + other.address() + "/v1/x"});
  });
  const Told told = ask(server.address());
  ASSERT_TRUE(told.error);
  EXPECT_TRUE(other.requests().empty());
  ASSERT_EQ(server.requests().size(), 1u);
  EXPECT_NE(server.requests()[0].head.find(std::string("Authorization: Bearer ") + canary),
            std::string::npos);
  EXPECT_EQ(server.requests()[0].body.find("canary"), std::string::npos);
}

}  // namespace
}  // namespace alambic::client_test
