// /v1/completions and /v1/chat/completions, over a real socket and an engine without a model.
#include "tests/serve/serve_fixture.h"

namespace alambic::text_test {
namespace {

struct Texts : ServeTest {
  void SetUp() override { start(); }
};

TEST_F(Texts, CompletesATextAndATokenList) {
  const Json ids = byte_tokenizer().encode("ab", false);
  for (const Json& prompt : {Json("ab"), ids, Json::array({"ab"}), Json::array({ids})}) {
    const Json json =
        posted("/v1/completions",
               {{"model", "student"}, {"prompt", prompt}, {"max_tokens", 5}, {"seed", 3}});
    EXPECT_EQ(json["object"], "text_completion");
    EXPECT_EQ(json["model"], "student");
    const Json& choice = json["choices"].at(0);
    EXPECT_EQ(choice["text"], fake_text(3, 0, 2, 5));
    EXPECT_EQ(choice["finish_reason"], "length");
    EXPECT_EQ(choice["logprobs"], nullptr);
    EXPECT_EQ(json["usage"], Json::parse(R"({"prompt_tokens": 2, "completion_tokens": 5,
                                             "total_tokens": 7})"));
  }
}

// Prevents: choices of several prompts in another order, or with the same draws.
TEST_F(Texts, NumbersTheChoicesOfPrompts) {
  const Json json = posted("/v1/completions", {{"prompt", {"a", "bcd"}},
                                               {"n", 2},
                                               {"max_tokens", 4},
                                               {"seed", 1},
                                               {"return_token_ids", true}});
  ASSERT_EQ(json["choices"].size(), 4);
  for (uint64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(json["choices"][i]["index"], i);
    EXPECT_EQ(json["choices"][i]["text"], fake_text(1, i, i < 2 ? 1 : 3, 4));
    EXPECT_EQ(json["choices"][i]["token_ids"].size(), 4);
    EXPECT_EQ(json["choices"][i]["prompt_token_ids"].size(), i < 2 ? 1 : 3);
  }
  EXPECT_EQ(json["usage"]["prompt_tokens"], 4);
}

// Prevents: a stop string in the text, tokens after it counted, and a sequence that goes on.
TEST_F(Texts, StopsBeforeAStopString) {
  const std::string whole = fake_text(0, 0, 1, 8);
  const Json json =
      posted("/v1/completions",
             {{"prompt", "a"}, {"max_tokens", 400}, {"seed", 0}, {"stop", whole.substr(5, 2)}});
  EXPECT_EQ(json["choices"][0]["text"], whole.substr(0, 5));
  EXPECT_EQ(json["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(json["choices"][0]["stop_reason"], whole.substr(5, 2));
  EXPECT_EQ(json["usage"]["completion_tokens"], 7);
}

// Prevents: lm-evaluation-harness reading a row too far: the first token has no row.
TEST_F(Texts, EchoesThePromptWithItsLogProbabilities) {
  const Json ids = byte_tokenizer().encode("abc", false);
  const Json json =
      posted("/v1/completions",
             {{"prompt", {ids}}, {"max_tokens", 1}, {"echo", true}, {"logprobs", 1}, {"seed", 0}});
  const Json& choice = json["choices"][0];
  EXPECT_EQ(choice["text"], "abc" + fake_text(0, 0, 3, 1));
  const Json& logprobs = choice["logprobs"];
  ASSERT_EQ(logprobs["tokens"].size(), 4);
  EXPECT_EQ(logprobs["tokens"][1], "b");
  EXPECT_EQ(logprobs["token_logprobs"][0], nullptr);
  EXPECT_EQ(logprobs["top_logprobs"][0], nullptr);
  EXPECT_FLOAT_EQ(logprobs["token_logprobs"][1], -0.01f * ids[1].get<float>());
  EXPECT_EQ(logprobs["top_logprobs"][2].size(), 2);  // the most likely, and the token
  EXPECT_EQ(logprobs["text_offset"], Json::array({0, 1, 2, 3}));
}

// Prevents: TRL's VLLMClient finding no rows, or K entries without the actual token.
TEST_F(Texts, GivesPromptLogProbabilitiesAsVllm) {
  const Json ids = byte_tokenizer().encode("abc", false);
  const Json json = posted("/v1/completions",
                           {{"prompt", {ids, ids}}, {"max_tokens", 1}, {"prompt_logprobs", 2}});
  for (const Json& choice : json["choices"]) {
    const Json& rows = choice["prompt_logprobs"];
    ASSERT_EQ(rows.size(), 3);
    EXPECT_EQ(rows[0], nullptr);
    const Json& entry = rows[1][std::to_string(ids[1].get<int>())];
    EXPECT_FLOAT_EQ(entry["logprob"], -0.01f * ids[1].get<float>());
    EXPECT_EQ(entry["rank"], ids[1].get<int>() + 1);
    EXPECT_EQ(entry["decoded_token"], "b");
    EXPECT_EQ(rows[1].size(), 3);
    EXPECT_EQ(rows[1]["0"]["rank"], 1);
  }
  const Json graded = posted("/v1/completions",
                             {{"prompt", ids}, {"max_tokens", 0}, {"echo", true}, {"logprobs", 0}});
  EXPECT_EQ(graded["choices"][0]["logprobs"]["tokens"].size(), 3);
  EXPECT_EQ(graded["choices"][0]["finish_reason"], "length");
}

TEST_F(Texts, StreamsTheSameTextAsItGivesWhole) {
  for (const bool chat : {false, true}) {
    Json body = {{"max_tokens", 9},
                 {"seed", 5},
                 {"n", 2},
                 {"stream", true},
                 {"stream_options", {{"include_usage", true}}}};
    if (chat) {
      body["messages"] = Json::parse(R"([{"role": "user", "content": "hi"}])");
    } else {
      body["prompt"] = "hi";
    }
    const std::string path = chat ? "/v1/chat/completions" : "/v1/completions";
    const HttpResult result = post(path, body);
    EXPECT_EQ(result.header("Content-Type"), "text/event-stream; charset=utf-8");
    EXPECT_TRUE(result.complete);
    const std::vector<std::string> events = events_of(result.body);
    ASSERT_GE(events.size(), 4u);
    EXPECT_EQ(events.back(), "[DONE]");
    std::array<std::string, 2> texts, ends;
    for (size_t i = 0; i + 2 < events.size(); ++i) {
      const Json choice = Json::parse(events[i])["choices"].at(0);
      const size_t index = choice["index"];
      if (chat && i < 2) {
        EXPECT_EQ(choice["delta"]["role"], "assistant");
      }
      texts[index] += chat ? choice["delta"].value("content", "") : choice.value("text", "");
      if (!choice["finish_reason"].is_null()) {
        ends[index] += choice["finish_reason"].get<std::string>();
      }
    }
    const Json usage = Json::parse(events[events.size() - 2]);
    EXPECT_TRUE(usage["choices"].empty());
    EXPECT_EQ(usage["usage"]["completion_tokens"], 18);
    body.erase("stream");
    body.erase("stream_options");
    const Json whole = posted(path, body);
    for (size_t i = 0; i < 2; ++i) {
      const Json& choice = whole["choices"][i];
      EXPECT_EQ(texts[i], chat ? choice["message"]["content"] : choice["text"]);
      EXPECT_EQ(ends[i], "length");
    }
  }
}

TEST_F(Texts, AnswersConversationsWithTheirTemplate) {
  const Json messages = Json::parse(R"([{"role": "system", "content": "s"},
                                        {"role": "user", "content": "hi"}])");
  const std::string prompt = "system: s\nuser: hi\nassistant: ";
  const Json json = posted("/v1/chat/completions", {{"messages", messages},
                                                    {"max_completion_tokens", 3},
                                                    {"logprobs", true},
                                                    {"top_logprobs", 2},
                                                    {"seed", 0}});
  EXPECT_EQ(json["object"], "chat.completion");
  EXPECT_EQ(json["usage"]["prompt_tokens"], prompt.size());
  const Json& choice = json["choices"][0];
  EXPECT_EQ(choice["message"]["role"], "assistant");
  EXPECT_EQ(choice["message"]["content"], fake_text(0, 0, prompt.size(), 3));
  const Json& content = choice["logprobs"]["content"];
  ASSERT_EQ(content.size(), 3);
  EXPECT_EQ(content[0]["bytes"], Json::array({fake_letter(0, 0, prompt.size())}));
  EXPECT_EQ(content[0]["top_logprobs"].size(), 2);
  // Tools are rendered; without a wish the answer may fill the context.
  const Json tools = Json::parse(R"([{"type": "function", "function": {"name": "f"}}])");
  const Json whole = posted("/v1/chat/completions", {{"messages", messages}, {"tools", tools}});
  EXPECT_EQ(whole["usage"]["prompt_tokens"], prompt.size() + 3);
  EXPECT_EQ(whole["usage"]["total_tokens"], 512);
}

// Prevents: a failure in the middle that looks like the end of an answer.
TEST_F(Texts, TellsOfAFailureInTheMiddle) {
  engine->fails = true;
  const Json body = {{"prompt", "a"}, {"max_tokens", 4}};
  EXPECT_EQ(error_of(post("/v1/completions", body), 500), "the fake engine fails");
  Json streamed = body;
  streamed["stream"] = true;
  const HttpResult result = post("/v1/completions", streamed);
  const std::vector<std::string> events = events_of(result.body);
  ASSERT_GE(events.size(), 2u);
  EXPECT_EQ(Json::parse(events[events.size() - 2])["error"]["message"], "the fake engine fails");
  EXPECT_EQ(events.back(), "[DONE]");
}

}  // namespace
}  // namespace alambic::text_test
