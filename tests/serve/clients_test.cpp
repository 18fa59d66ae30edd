// Clients that leave, read slowly or come when the server stops.
#include <list>
#include <random>

#include "tests/serve/serve_fixture.h"

namespace alambic::clients_test {
namespace {

struct Clients : ServeTest {};
struct ClientsSlow : ServeTest {};

Json long_request(int64_t tokens, bool stream) {
  return {{"prompt", "a"}, {"max_tokens", tokens}, {"seed", 1}, {"stream", stream}};
}

// Prevents: a sequence written to its end for a client that has gone; libmicrohttpd looks at no
// socket of a connection that waits.
TEST_F(Clients, ThatLeaveFreeTheirPlaceAtOnce) {
  start();
  engine->pause_ms = 10;
  for (const bool stream : {false, true}) {
    const int64_t before = engine->cancelled;
    {
      const HttpConnection connection(port);
      connection.send_call("POST", "/v1/completions", long_request(500, stream).dump());
      ASSERT_TRUE(eventually([&] { return engine->running == 1; }));
    }
    EXPECT_TRUE(eventually([&] { return engine->running == 0; }, 250)) << stream;
    EXPECT_EQ(engine->cancelled, before + 1);
  }
  EXPECT_TRUE(eventually([&] { return listener->open_calls() == 0; }));
}

// Prevents: a waiting call of a client that left, which takes a place of the queue for ever.
TEST_F(Clients, ThatLeaveWhileTheyWaitAreForgotten) {
  start();
  engine->pause_ms = 10;
  std::list<HttpConnection> running;
  for (int i = 0; i < 8; ++i) {
    running.emplace_back(port).send_call("POST", "/v1/completions", long_request(400, true).dump());
  }
  ASSERT_TRUE(eventually([&] { return engine->running == 8; }));
  {
    const HttpConnection waiting(port);
    waiting.send_call("POST", "/v1/completions", long_request(5, false).dump());
    ASSERT_TRUE(eventually([&] { return queue->waiting() == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return queue->waiting() == 0; }));
  running.pop_back();  // its place is free, and there is nobody to take it
  ASSERT_TRUE(eventually([&] { return engine->running == 7; }));
  EXPECT_EQ(engine->cancelled, 1);
}

// Prevents: one reader that is slow making others wait, or getting a text with holes.
TEST_F(Clients, ThatReadSlowlyGetEverything) {
  start();
  const HttpConnection slow(port);
  slow.send_call(
      "POST", "/v1/completions",
      Json({{"prompt", "a"}, {"max_tokens", 500}, {"seed", 1}, {"stream", true}, {"logprobs", 40}})
          .dump());
  EXPECT_EQ(posted("/v1/completions", long_request(20, false))["choices"][0]["text"],
            fake_text(1, 0, 1, 20));
  ASSERT_TRUE(eventually([&] { return engine->running == 0; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const HttpResult result = slow.read_all();
  EXPECT_TRUE(result.complete);
  std::string text;
  for (const std::string& event : events_of(result.body)) {
    if (event != "[DONE]") text += Json::parse(event)["choices"][0].value("text", "");
  }
  EXPECT_EQ(text, fake_text(1, 0, 1, 500));
}

// Prevents: a server that stops in the middle of an answer, or takes new ones while it stops.
TEST_F(Clients, FinishWhenTheServerStops) {
  start();
  engine->pause_ms = 2;
  const HttpConnection open(port);
  open.send_call("POST", "/v1/completions", long_request(100, true).dump());
  ASSERT_TRUE(eventually([&] { return engine->running == 1; }));
  queue->close();
  error_of(post("/v1/completions", long_request(5, false)), 503);
  error_of(http(port, "GET", "/health"), 503);
  listener->close_door();
  EXPECT_FALSE(HttpConnection(port).connected());
  const std::vector<std::string> events = events_of(open.read_all().body);
  ASSERT_GE(events.size(), 2u);
  EXPECT_EQ(events.back(), "[DONE]");
}

// Prevents: a destructor that waits for a suspended connection, or a wake after its end.
TEST_F(Clients, DoNotKeepTheServerFromEnding) {
  start();
  engine->pause_ms = 50;
  const HttpConnection whole(port), streamed(port);
  whole.send_call("POST", "/v1/completions", long_request(500, false).dump());
  streamed.send_call("POST", "/v1/completions", long_request(500, true).dump());
  ASSERT_TRUE(eventually([&] { return engine->running == 2; }));
  listener.reset();
  EXPECT_EQ(whole.read_all().status, 0);
  EXPECT_FALSE(streamed.read_all().complete);
  EXPECT_TRUE(eventually([&] { return engine->running == 0; }));
}

// 64 clients that read whole, read slowly, or leave: each answer is what its request gets alone.
TEST_F(ClientsSlow, ManyAtATimeGetTheirOwnAnswers) {
  limits = {.waiting = 256, .waiting_tokens = 1 << 20};
  start();
  std::atomic<int> wrong = 0, answered = 0;
  std::vector<std::thread> threads;
  for (unsigned client = 0; client < 64; ++client) {
    threads.emplace_back([&, client] {
      std::mt19937 random(client);
      for (int call = 0; call < 20; ++call) {
        const uint64_t seed = random() % 1000;
        const int64_t tokens = 1 + random() % 60;
        const bool stream = random() % 2 == 0;
        const HttpConnection connection(port);
        const Json body = {
            {"prompt", "ab"}, {"max_tokens", tokens}, {"seed", seed}, {"stream", stream}};
        connection.send_call("POST", "/v1/completions", body.dump());
        if (random() % 4 == 0) continue;  // leaves
        if (random() % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
        const HttpResult result = connection.read_all();
        std::string text;
        if (!stream) {
          text = Json::parse(result.body)["choices"][0]["text"];
        } else {
          for (const std::string& event : events_of(result.body)) {
            if (event != "[DONE]") text += Json::parse(event)["choices"][0].value("text", "");
          }
        }
        ++answered;
        if (text != fake_text(seed, 0, 2, static_cast<size_t>(tokens))) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(answered, 800);
  EXPECT_TRUE(eventually([&] {
    return engine->running == 0 && queue->waiting() == 0 && listener->open_calls() == 0;
  }));
}

}  // namespace
}  // namespace alambic::clients_test
