#include "alambic/remote/retry.h"

#include <gtest/gtest.h>

#include "alambic/remote/budget.h"
#include "alambic/remote/pace.h"

namespace alambic::retry_test {
namespace {

using Headers = std::map<std::string, std::string>;

constexpr double now = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT

HttpOutcome reply(long status, const std::string& body = "", const Headers& headers = {}) {
  return {.status = status, .failure = "", .headers = headers, .body = body};
}

// Bug: one form of the header is not understood, and a server that asked for quiet is hammered.
TEST(RetryAfter, InEveryForm) {
  const struct {
    Headers headers;
    std::optional<double> seconds;
  } cases[] = {
      {{{"retry-after", "7"}}, 7},
      {{{"retry-after", "0.5"}}, 0.5},
      {{{"retry-after", "-3"}}, 0},
      {{{"retry-after-ms", "250"}, {"retry-after", "7"}}, 0.25},
      {{{"retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"}}, 30},
      {{{"retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"}}, 0},
      {{{"retry-after", "soon"}}, {}},
      {{{"retry-after", "nan"}}, {}},
      {{{"x-ratelimit-remaining-tokens", "0"}, {"x-ratelimit-reset-tokens", "6m0.5s"}}, 360.5},
      {{{"x-ratelimit-remaining-requests", "0"}, {"x-ratelimit-reset-requests", "20ms"}}, 0.02},
      {{{"x-ratelimit-remaining-tokens", "9"}, {"x-ratelimit-reset-tokens", "6m"}}, {}},
      {{}, {}}};
  for (const auto& [headers, seconds] : cases) {
    const auto found = retry_after(headers, now);
    ASSERT_EQ(found.has_value(), seconds.has_value()) << headers.begin()->second;
    EXPECT_NEAR(found.value_or(0), seconds.value_or(0), 1e-9);
  }
}

// Bug: an account without credit is asked again and again, a passing overload ends a run.
TEST(Retry, ClassOfEveryStatus) {
  const char* too_long =
      R"({"error":{"code":400,"message":"This model's maximum context length is 64 tokens"}})";
  const struct {
    HttpOutcome outcome;
    ReplyClass kind;
  } cases[] = {
      {reply(200), ReplyClass::good},
      {reply(0), ReplyClass::lost},
      {reply(301), ReplyClass::redirect},
      {reply(400), ReplyClass::rejected},
      {reply(400, too_long), ReplyClass::too_long},
      {reply(400, R"({"error":{"type":"exceed_context_size_error"}})"), ReplyClass::too_long},
      {reply(401, R"({"error":"Unauthorized"})"), ReplyClass::key},
      {reply(402), ReplyClass::quota},
      {reply(403), ReplyClass::key},
      {reply(404), ReplyClass::rejected},
      {reply(408), ReplyClass::busy},
      {reply(409), ReplyClass::busy},
      {reply(409, R"({"error":{"code":"other_tokenizer"}})"), ReplyClass::rejected},
      {reply(413), ReplyClass::rejected},
      {reply(422), ReplyClass::rejected},
      {reply(425), ReplyClass::busy},
      {reply(429), ReplyClass::busy},
      {reply(429, R"({"error":{"code":"insufficient_quota"}})"), ReplyClass::quota},
      {reply(429, R"({"error":{"details":{"error_code":"enforced_spend_limit_reached"}}})"),
       ReplyClass::quota},
      {reply(500), ReplyClass::busy},
      {reply(501), ReplyClass::rejected},
      {reply(502, "<html>bad gateway</html>"), ReplyClass::busy},
      {reply(503), ReplyClass::busy},
      {reply(504), ReplyClass::busy},
      {reply(529), ReplyClass::busy},
      {reply(400, "", {{"x-should-retry", "true"}}), ReplyClass::busy},
      {reply(500, "", {{"x-should-retry", "false"}}), ReplyClass::rejected}};
  for (const auto& [outcome, kind] : cases) {
    EXPECT_EQ(facts_of(outcome, now).kind, kind) << outcome.status << " " << outcome.body;
  }
  HttpOutcome huge = reply(0);
  huge.too_large = true;
  EXPECT_EQ(facts_of(huge, now).kind, ReplyClass::malformed);
}

// Bug: a server whose words are its own ends a run where its context could have been known.
TEST(Retry, ContextThatServersName) {
  const std::pair<const char*, int64_t> bodies[] = {
      // vLLM, DeepSeek, OpenAI
      {R"({"error":{"message":"This model's maximum context length is 4096 tokens. However, you )"
       R"(requested 5000 tokens (4999 in the messages, 1 in the completion).","code":400}})",
       4096},
      {R"({"error":{"message":"The decoder prompt (length 5000) is longer than the maximum model )"
       R"(length of 4096. Make sure that `max_model_len` is no smaller","code":400}})",
       4096},
      {R"({"error":{"code":"context_length_exceeded","message":"Input tokens exceed the )"
       R"(configured limit of 272,000 tokens. Your messages resulted in 300001 tokens."}})",
       272000},
      // llama.cpp, in a field and in words
      {R"({"error":{"code":400,"message":"the request exceeds the available context size. try )"
       R"(increasing the context size","type":"exceed_context_size_error","n_prompt_tokens":5000,)"
       R"("n_ctx":4096}})",
       4096},
      {R"({"error":{"message":"request (5000 tokens) exceeds the available context size (4096 )"
       R"(tokens), try increasing it","type":"exceed_context_size_error"}})",
       4096},
      // SGLang
      {R"({"error":{"message":"The input (5000 tokens) is longer than the model's context length )"
       R"((4096 tokens)."}})",
       4096},
      // Fireworks
      {R"({"error":{"message":"The prompt is too long: 5000, model maximum context length: 4096"}})",
       4096},
      // text-generation-inference and Together
      {R"({"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. )"
       R"(Given: 5000 `inputs` tokens and 1 `max_new_tokens`","error_type":"validation"})",
       4097},
      // Anthropic and Gemini
      {R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: )"
       R"(208310 tokens > 200000 maximum"}})",
       200000},
      {R"({"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum )"
       R"(number of tokens allowed (1048575).","status":"INVALID_ARGUMENT"}})",
       1048575},
      {R"({"error":{"code":"context_length_exceeded","message":"too long"}})", 0}};
  for (const auto& [body, context] : bodies) {
    const ReplyFacts facts = facts_of(reply(400, body), now);
    EXPECT_EQ(facts.kind, ReplyClass::too_long) << body;
    EXPECT_EQ(facts.context, context) << body;
  }
}

TEST(Retry, WordsOfAServerAreCutAndSafe) {
  const Secret secret("sk-canary-123456");
  const ReplyFacts facts =
      facts_of(reply(401, R"({"error":{"message":"Incorrect key: sk-canary-123456 )" +
                              std::string(2000, 'x') + "\"}}"),
               now);
  EXPECT_LE(facts.says.size(), 500u);
  EXPECT_EQ(facts.says.find("canary"), std::string::npos);
  EXPECT_NE(facts.says.find("Incorrect key"), std::string::npos);
}

// The table: reply, tries so far, parts → action and wait.
TEST(Retry, ActionOfEveryClass) {
  const RetryLimits limits{.retries = 2, .malformed = 1, .longest_wait = 60};
  const auto facts = [](ReplyClass kind, std::optional<double> wait = {}) {
    return ReplyFacts{.kind = kind, .wait = wait, .says = ""};
  };
  const struct {
    ReplyFacts facts;
    Attempts so_far;
    int64_t parts;
    Action action;
    double seconds;
  } cases[] = {{facts(ReplyClass::good), {}, 1, Action::accept, 0},
               {facts(ReplyClass::lost), {.failures = 1}, 1, Action::wait, 0.25},
               {facts(ReplyClass::busy), {.failures = 2}, 1, Action::wait, 0.5},
               {facts(ReplyClass::busy), {.failures = 3}, 1, Action::stop_resumable, 0},
               {facts(ReplyClass::busy, 45), {.failures = 1}, 1, Action::wait, 45},
               {facts(ReplyClass::busy, 61), {.failures = 1}, 1, Action::stop_resumable, 0},
               {facts(ReplyClass::malformed), {.malformed = 1}, 1, Action::wait, 0.25},
               {facts(ReplyClass::malformed), {.malformed = 2}, 1, Action::stop_resumable, 0},
               {facts(ReplyClass::malformed), {.malformed = 2}, 8, Action::split, 0},
               {facts(ReplyClass::rejected), {}, 1, Action::stop_input, 0},
               {facts(ReplyClass::rejected), {}, 8, Action::split, 0},
               {facts(ReplyClass::too_long), {}, 8, Action::split, 0},
               {facts(ReplyClass::too_long), {}, 1, Action::stop_resumable, 0},
               {facts(ReplyClass::key), {}, 8, Action::stop_environment, 0},
               {facts(ReplyClass::quota), {}, 1, Action::stop_environment, 0},
               {facts(ReplyClass::redirect), {}, 1, Action::stop_environment, 0}};
  for (const auto& [given, so_far, parts, action, seconds] : cases) {
    const Verdict verdict = decide(given, so_far, parts, 0.5, limits);
    EXPECT_EQ(verdict.action, action) << static_cast<int>(given.kind);
    EXPECT_DOUBLE_EQ(verdict.seconds, seconds) << static_cast<int>(given.kind);
  }
  // The wait of the 20th try is no more than half a minute.
  EXPECT_DOUBLE_EQ(decide(facts(ReplyClass::lost), {.failures = 20}, 1, 1, {.retries = 30}).seconds,
                   30);
}

TEST(Retry, BreakerOpensAfterFailuresInARow) {
  CircuitBreaker breaker(3);
  for (const ReplyClass kind :
       {ReplyClass::lost, ReplyClass::busy, ReplyClass::good, ReplyClass::lost, ReplyClass::busy}) {
    breaker.see({.kind = kind, .wait = {}, .says = ""});
    EXPECT_FALSE(breaker.open());
  }
  breaker.see({.kind = ReplyClass::busy, .wait = {}, .says = ""});
  EXPECT_TRUE(breaker.open());
}

// Bug: tokens under way are counted by requests, and long prompts exhaust a server's memory.
TEST(Pace, HalvesOnceAndGrows) {
  Pace pace(1024);
  EXPECT_TRUE(pace.may_start(5000, 0)) << "a single request may be larger";
  for (int i = 0; i < 4; ++i) pace.started(256);
  EXPECT_FALSE(pace.may_start(1, 0));
  pace.refused(256, 0, 2);
  pace.refused(256, 0.1, 0);
  EXPECT_EQ(pace.limit(), 512) << "the second refusal of the same moment does not halve again";
  EXPECT_FALSE(pace.may_start(1, 1.9)) << "the server asked for two seconds";
  EXPECT_FALSE(pace.may_start(1, 2));
  pace.answered(256);
  EXPECT_TRUE(pace.may_start(256, 2));
  for (int i = 0; i < 16 * 20; ++i) {
    pace.started(1);
    pace.answered(1);
  }
  EXPECT_EQ(pace.limit(), 1024);
}

// Bug: requests under way together go over the budget, each of which alone would not.
TEST(Budget, ReservesBeforeAndSettlesAfter) {
  Budget money(1.0, 0, {.input = 1000, .output = 2000});
  const Usage request{.input_tokens = 200, .output_tokens = 100};  // costs 0.4
  EXPECT_TRUE(money.reserve(request));
  EXPECT_TRUE(money.reserve(request));
  EXPECT_FALSE(money.reserve(request));
  money.settle(request, {.input_tokens = 200, .output_tokens = 1});
  EXPECT_NEAR(money.cost(), 0.202, 1e-12);
  EXPECT_FALSE(money.reserve(request)) << "0.202 + 0.4 + 0.4";
  money.settle(request, {});
  EXPECT_TRUE(money.reserve(request));
  Budget tokens(0, 500, {});
  tokens.add({.input_tokens = 150, .output_tokens = 100});
  EXPECT_FALSE(tokens.reserve(request));
  EXPECT_TRUE(tokens.reserve({.input_tokens = 250}));
}

}  // namespace
}  // namespace alambic::retry_test
