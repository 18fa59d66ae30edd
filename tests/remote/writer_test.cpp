#include "alambic/remote/writer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/remote/token_grades.h"
#include "tests/loopback_server.h"

namespace alambic::writer_test {
namespace {

using Json = nlohmann::json;

const WriteRequest chat{.messages = {{"system", "Be short."}, {"user", "2 + 2?"}}, .tokens = {}};

Json sent(ChatForm form, const WriteRequest& request, const WriteSettings& settings = {}) {
  return Json::parse(write_exchange(form, "m", request, settings).body);
}

// Bug: a field in the place of another server's, which is then ignored in silence.
TEST(Writer, RequestsOfEveryForm) {
  const WriteSettings settings{.temperature = 0, .max_tokens = 7, .top_logprobs = 5};
  const Json openai = sent(ChatForm::openai, chat, settings);
  EXPECT_EQ(openai["messages"][1]["content"], "2 + 2?");
  EXPECT_EQ(openai["max_tokens"], 7);
  EXPECT_EQ(openai["top_logprobs"], 5);
  EXPECT_EQ(write_exchange(ChatForm::openai, "m", chat, settings).route, "/v1/chat/completions");
  const WriteRequest ids{.messages = {}, .tokens = {1, 2}};
  EXPECT_EQ(write_exchange(ChatForm::openai, "m", ids, settings).route, "/v1/completions");
  EXPECT_EQ(sent(ChatForm::openai, ids)["prompt"], Json({1, 2}));
  const Json anthropic = sent(ChatForm::anthropic, chat, settings);
  EXPECT_EQ(anthropic["system"], "Be short.");
  EXPECT_EQ(anthropic["messages"].size(), 1u);
  const Json gemini = sent(ChatForm::gemini, chat, settings);
  EXPECT_EQ(gemini["systemInstruction"]["parts"][0]["text"], "Be short.");
  EXPECT_EQ(gemini["contents"][0]["role"], "user");
  EXPECT_EQ(gemini["generationConfig"]["logprobs"], 5);
  EXPECT_EQ(chat_form(parse_endpoint("https://api.anthropic.com")), ChatForm::anthropic);
  EXPECT_EQ(key_header(ChatForm::anthropic), "x-api-key: ");
}

TEST(Writer, RepliesOfEveryForm) {
  const WrittenText openai = read_written(
      ChatForm::openai,
      R"({"choices":[{"message":{"content":"4"},"finish_reason":"stop","logprobs":{"content":
      [{"token":"4","logprob":-0.1,"top_logprobs":[{"token":"4","logprob":-0.1},{"token":"5","logprob":-2}]}]}}],
      "usage":{"prompt_tokens":9,"completion_tokens":1}})");
  EXPECT_EQ(openai.text, "4");
  EXPECT_TRUE(openai.ended);
  ASSERT_EQ(openai.first.size(), 2u);
  EXPECT_EQ(openai.first[1], std::pair(std::string("5"), -2.0));
  EXPECT_EQ(openai.usage, (Usage{.input_tokens = 9, .output_tokens = 1}));
  const WrittenText cut = read_written(
      ChatForm::openai, R"({"choices":[{"text":" 4","finish_reason":"length","logprobs":null}]})");
  EXPECT_EQ(cut.text, " 4");
  EXPECT_FALSE(cut.ended);
  EXPECT_TRUE(cut.first.empty());
  const WrittenText anthropic = read_written(
      ChatForm::anthropic,
      R"({"content":[{"type":"text","text":"4"},{"type":"text","text":"!"}],"stop_reason":"end_turn",
      "usage":{"input_tokens":9,"output_tokens":2}})");
  EXPECT_EQ(anthropic.text, "4!");
  EXPECT_EQ(anthropic.usage.output_tokens, 2);
  const WrittenText gemini = read_written(
      ChatForm::gemini,
      R"({"candidates":[{"content":{"parts":[{"text":"4"}]},"finishReason":"STOP","logprobsResult":
      {"topCandidates":[{"candidates":[{"token":"4","logProbability":-0.5}]}]}}],
      "usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":1}})");
  EXPECT_EQ(gemini.first.size(), 1u);
  for (const char* body : {"", "[]", "{}", R"({"choices":[]})", R"({"choices":5})"}) {
    EXPECT_THROW(read_written(ChatForm::openai, body), MalformedReply) << body;
    EXPECT_THROW(read_written(ChatForm::gemini, body), MalformedReply) << body;
    EXPECT_THROW(read_written(ChatForm::anthropic, body), MalformedReply) << body;
  }
}

TEST(Writer, WritesAllAndTellsOfEach) {
  LoopbackServer server([](const ServedRequest& request) {
    if (request.path == "/v1/models") return ServedReply{.body = R"({"data":[{"id":"only"}]})"};
    const Json json = Json::parse(request.body);
    EXPECT_EQ(json["model"], "only");
    const std::string said = json["messages"].back()["content"];
    return ServedReply{
        .body =
            Json{{"choices", {{{"message", {{"content", said + "!"}}}, {"finish_reason", "stop"}}}}}
                .dump()};
  });
  RemoteWriter writer(parse_endpoint(server.address()), nullptr, {.seconds = 5},
                      std::make_shared<Budget>(0, 0, Prices{}));
  std::vector<WriteRequest> requests;
  for (int i = 0; i < 20; ++i) requests.push_back({{{"user", std::to_string(i)}}, {}});
  std::vector<std::string> written(20);
  writer.write(requests, {}, [&](size_t i, const WrittenText& text) { written[i] = text.text; });
  for (int i = 0; i < 20; ++i) EXPECT_EQ(written[static_cast<size_t>(i)], std::to_string(i) + "!");
}

}  // namespace
}  // namespace alambic::writer_test
