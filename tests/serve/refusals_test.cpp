// What the server refuses, with which status, and that it says why.
#include <list>

#include "alambic/serve/text_request.h"
#include "tests/serve/serve_fixture.h"

namespace alambic::refusals_test {
namespace {

struct Refusals : ServeTest {};

// Prevents: a field that would change the answer silently ignored; a 500 for a client's mistake.
TEST_F(Refusals, NamesTheFieldThatIsWrong) {
  start();
  struct Case {
    const char *path, *field, *body;
  };
  const Case cases[] = {
      {"/v1/completions", "prompt", R"({})"},
      {"/v1/completions", "prompt", R"({"prompt": []})"},
      {"/v1/completions", "prompt", R"({"prompt": [1, -1]})"},
      {"/v1/completions", "prompt", R"({"prompt": [[1], [99999]]})"},
      {"/v1/completions", "prompt", R"({"prompt": [1, "a"]})"},
      {"/v1/completions", "prompt", R"({"prompt": [[]]})"},
      {"/v1/completions", "prompt", R"({"prompt": "a", "max_tokens": 512})"},
      {"/v1/completions", "max_tokens", R"({"prompt": "a", "max_tokens": -1})"},
      {"/v1/completions", "max_tokens", R"({"prompt": "a", "max_tokens": 1.5})"},
      {"/v1/completions", "max_tokens", R"({"prompt": "a", "max_tokens": 0})"},
      {"/v1/completions", "n", R"({"prompt": "a", "n": 0})"},
      {"/v1/completions", "n", R"({"prompt": "a", "n": 1e30})"},
      {"/v1/completions", "best_of", R"({"prompt": "a", "best_of": 3})"},
      {"/v1/completions", "temperature", R"({"prompt": "a", "temperature": -1})"},
      {"/v1/completions", "temperature", R"({"prompt": "a", "temperature": "1"})"},
      {"/v1/completions", "top_p", R"({"prompt": "a", "top_p": 2})"},
      {"/v1/completions", "stop", R"({"prompt": "a", "stop": ""})"},
      {"/v1/completions", "stop", R"({"prompt": "a", "stop": [1]})"},
      {"/v1/completions", "logprobs", R"({"prompt": "a", "logprobs": 100000})"},
      {"/v1/completions", "logit_bias", R"({"prompt": "a", "logit_bias": {"x": 1}})"},
      {"/v1/completions", "logit_bias", R"({"prompt": "a", "logit_bias": {"1": 101}})"},
      {"/v1/completions", "prompt_logprobs",
       R"({"prompt": "a", "prompt_logprobs": 1, "stream": true})"},
      {"/v1/completions", "suffix", R"({"prompt": "a", "suffix": "b"})"},
      {"/v1/completions", "presence_penalty", R"({"prompt": "a", "presence_penalty": 0.5})"},
      {"/v1/completions", "response_format",
       R"({"prompt": "a", "response_format": {"type": "json_object"}})"},
      {"/v1/completions", "model", R"({"prompt": "a", "model": 3})"},
      {"/v1/chat/completions", "messages", R"({})"},
      {"/v1/chat/completions", "messages", R"({"messages": []})"},
      {"/v1/chat/completions", "messages", R"({"messages": [{"role": "wizard"}]})"},
      {"/v1/chat/completions", "messages", R"({"messages": [{"content": "x"}]})"},
      {"/v1/chat/completions", "tool_choice",
       R"({"messages": [{"role": "user", "content": "a"}], "tool_choice": "required"})"},
      {"/v1/grade", "sequences", R"({})"},
      {"/v1/grade", "sequences", R"({"sequences": []})"},
      {"/v1/grade", "sequences", R"({"sequences": [[]]})"},
      {"/v1/grade", "sequences", R"({"sequences": [[1, 300]]})"},
      {"/v1/grade", "from", R"({"sequences": [[1, 2]], "from": [0]})"},
      {"/v1/grade", "from", R"({"sequences": [[1, 2]], "from": [3]})"},
      {"/v1/grade", "from", R"({"sequences": [[1, 2]], "from": [1, 1]})"},
      {"/v1/grade", "topk", R"({"sequences": [[1, 2]], "topk": 258})"},
      {"/v1/grade", "hidden", R"({"sequences": [[1, 2]], "topk": 2, "hidden": true})"},
      {"/tokenize", "prompt", R"({"prompt": 3})"},
      {"/detokenize", "tokens", R"({"tokens": ["a"]})"},
  };
  for (const Case& wrong : cases) {
    const HttpResult result = http(port, "POST", wrong.path, wrong.body);
    EXPECT_NE(error_of(result, 400), "") << wrong.body;
    const Json json = Json::parse(result.body, nullptr, false);
    EXPECT_EQ(json["error"]["param"], wrong.field) << wrong.body << result.body;
    EXPECT_EQ(json["error"]["type"], "invalid_request_error");
  }
  EXPECT_EQ(queue->waiting(), 0);
}

// Bug: what OpenAI's and litellm's clients can ask for had no effect and was not told: 13 fields of
// chats, and samplers of other servers.
TEST_F(Refusals, NamesFieldsThatOtherServersWouldAnswerBy) {
  start();
  struct Case {
    const char *field, *neutral, *other;  // the neutral value is taken
  };
  const Case everywhere[] = {
      {"include_stop_str_in_output", "false", "true"},
      {"logprob_token_ids", "null", "[1]"},
      {"repetition_detection", "null", R"({"max_pattern_size": 3})"},
      {"json_schema", "{}", R"({"type": "object"})"},
      {"regex", "\"\"", "\"a+\""},
      {"typical_p", "1", "0.5"},
      {"repeat_penalty", "1.0", "1.1"},
      {"top_n_sigma", "-1", "1"},
      {"mirostat", "0", "2"},
      {"xtc_probability", "0", "0.5"},
      {"n_predict", "null", "4"},
  };
  const Case chats[] = {
      {"top_logprobs", "0", "2"},
      {"modalities", R"(["text"])", R"(["text", "audio"])"},
      {"web_search_options", "null", "{}"},
      {"verbosity", "\"medium\"", "\"low\""},
      {"documents", "[]", R"([{"text": "a"}])"},
      {"chat_template", "null", "\"{{ messages }}\""},
      {"add_special_tokens", "false", "true"},
      {"enable_thinking", "false", "true"},
      {"thinking_token_budget", "null", "4"},
      {"echo", "false", "true"},
  };
  const auto check = [&](const std::string& path, const std::string& begin, const Case& one) {
    const auto ask = [&](const char* value) {
      return http(port, "POST", path,
                  fmt::format(R"({{{}, "max_tokens": 2, "{}": {}}})", begin, one.field, value));
    };
    EXPECT_EQ(ask(one.neutral).status, 200) << one.field;
    const HttpResult refused = ask(one.other);
    EXPECT_NE(error_of(refused, 400), "") << one.field;
    EXPECT_EQ(Json::parse(refused.body, nullptr, false)["error"]["param"], one.field);
  };
  const std::string chat = R"("messages": [{"role": "user", "content": "a"}])";
  for (const Case& one : everywhere) {
    check("/v1/completions", R"("prompt": "a")", one);
    check("/v1/chat/completions", chat, one);
  }
  for (const Case& one : chats) check("/v1/chat/completions", chat, one);
  check("/v1/completions", R"("prompt": "a")", {"max_completion_tokens", "null", "4"});
}

// Bug: tools and an effort that the template does not write were left out of the prompt in silence.
TEST_F(Refusals, NamesWhatTheTemplateMakesNothingOf) {
  start();
  const ChatTemplate bare = ChatTemplate::parse("bare", "{{ messages[0].content }}");
  ServedModel model = fake_model("student");
  const auto prompt_of = [&](const ChatTemplate& chat_template, const char* more) {
    model.chat_template = &chat_template;
    const JsonFile body = parse_request(
        fmt::format(R"({{"messages": [{{"role": "user", "content": "a"}}], {}}})", more));
    try {
      return chat_prompt(RequestFields(body.root()), model);
    } catch (const ApiError& error) {
      return fmt::format("{} {}", error.status, error.param);
    }
  };
  const char* tools = R"("tools": [{"type": "function", "function": {"name": "f"}}])";
  EXPECT_EQ(prompt_of(plain_template(), tools), "[f]user: a\nassistant: ");
  EXPECT_EQ(prompt_of(bare, tools), "400 tools");
  EXPECT_EQ(prompt_of(bare, R"("tools": [])"), "a");
  const char* effort = R"("reasoning_effort": "high")";
  EXPECT_EQ(prompt_of(plain_template(), effort), "high user: a\nassistant: ");
  EXPECT_EQ(prompt_of(bare, effort), "400 reasoning_effort");
  // One that the template itself would take counts as read.
  const ChatTemplate medium = ChatTemplate::parse(
      "medium", "{{ reasoning_effort if reasoning_effort is defined else 'medium' }}");
  EXPECT_EQ(prompt_of(medium, R"("reasoning_effort": "medium")"), "medium");
}

// Bug: a content in parts, as OpenAI's clients send it, was written into the prompt as Python shows
// a list, an image's bytes included.
TEST_F(Refusals, ReadsPartsThatAreTextsAndNamesOthers) {
  start();
  ServedModel model = fake_model("student");
  const auto prompt_of = [&](const ChatTemplate& chat_template, const std::string& parts) {
    model.chat_template = &chat_template;
    const JsonFile body = parse_request(
        fmt::format(R"({{"messages": [{{"role": "user", "content": [{}]}}]}})", parts));
    try {
      return chat_prompt(RequestFields(body.root()), model);
    } catch (const ApiError& error) {
      return fmt::format("{} {} {}", error.status, error.param, error.what());
    }
  };
  const std::string two = R"({"type": "text", "text": "a"}, {"type": "text", "text": "b"})";
  const ChatTemplate of_parts = ChatTemplate::parse(
      "parts", "{% for part in messages[0].content %}<{{ part.text }}>{% endfor %}");
  const ChatTemplate of_texts = ChatTemplate::parse("texts", "{{ '>' + messages[0].content }}");
  const ChatTemplate of_json = ChatTemplate::parse("json", "{{ messages[0].content | tojson }}");
  EXPECT_EQ(prompt_of(of_parts, two), "<a><b>");
  EXPECT_EQ(prompt_of(of_texts, two), ">a\nb");
  EXPECT_EQ(prompt_of(of_json, two), "\"a\\nb\"");
  EXPECT_EQ(prompt_of(plain_template(), two), "user: a\nb\nassistant: ");
  for (const char* type : {"image_url", "input_audio", "file", "video_url"}) {
    const std::string media = fmt::format(R"({}, {{"type": "{}", "x": "aaaa"}})", two, type);
    for (const ChatTemplate* one : {&of_parts, &plain_template()}) {
      const std::string refused = prompt_of(*one, media);
      EXPECT_TRUE(refused.starts_with("400 messages")) << refused;
      EXPECT_NE(refused.find(type), std::string::npos) << refused;
    }
  }
  const std::string other = prompt_of(of_texts, R"({"type": "refusal", "refusal": "no"})");
  EXPECT_NE(other.find("has no text"), std::string::npos) << other;
}

TEST_F(Refusals, KnowsWhatIsNoRequestAtAll) {
  start();
  for (const char* body : {"", "[]", "3", "{", "{\"a\": }", "\xff", "{\"a\": \"\xff\"}"}) {
    error_of(http(port, "POST", "/v1/completions", body), 400);
  }
  error_of(http(port, "POST", "/v1/completions", std::string(5000, '[')), 400);
  error_of(http(port, "GET", "/nothing"), 404);
  error_of(http(port, "POST", "/v1/models", "{}"), 405);
  EXPECT_EQ(http(port, "DELETE", "/v1/completions").header("Allow"), "POST");
  EXPECT_EQ(
      error_of(http(port, "POST", "/v1/completions", R"({"model": "x", "prompt": "a"})"), 404),
      "there is no model 'x' here, but student, teacher");
}

// Prevents: an API error that a client cannot tell from a network's; a body without end in memory.
TEST_F(Refusals, LimitsBodiesAndWork) {
  listener_options.body_bytes = 1000;
  start();
  const std::string longer(2000, ' ');
  EXPECT_NE(error_of(http(port, "POST", "/v1/completions", longer), 413).find("1000 bytes"),
            std::string::npos);
  const HttpConnection connection(port);
  connection.send_text(
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
      "Transfer-Encoding: chunked\r\n\r\n7d0\r\n" +
      longer + "\r\n0\r\n\r\n");
  error_of(connection.read_all(), 413);
  const Json many = {{"prompt", {"a", "b"}}, {"n", 40}};
  EXPECT_NE(error_of(post("/v1/completions", many), 413).find("64 at most"), std::string::npos);
  const Json wide = {{"prompt", "a"}, {"max_tokens", 500}, {"n", 64}, {"logprobs", 257}};
  EXPECT_NE(error_of(post("/v1/completions", wide), 413).find("/v1/grade"), std::string::npos);
}

TEST_F(Refusals, AsksForTheKeyBeforeTheBody) {
  server_options.key = std::make_shared<const Secret>("secret-key");
  start();
  const Json body = {{"prompt", "a"}};
  for (const char* header : {"", "Authorization: Bearer wrong\r\n", "Authorization: secret-key\r\n",
                             "Authorization: Bearer secret-keysecret-key\r\n"}) {
    const HttpResult result = post("/v1/completions", body, header);
    const std::string message = error_of(result, 401);
    EXPECT_EQ(message.find("secret-key"), message.npos);
    EXPECT_EQ(result.header("WWW-Authenticate"), "Bearer");
  }
  for (const char* path : {"/v1/models", "/metrics", "/version", "/v1/head", "/openapi.json"}) {
    error_of(http(port, "GET", path), 401);
  }
  EXPECT_EQ(http(port, "GET", "/health").status, 200);
  EXPECT_EQ(post("/v1/completions", body, "Authorization: Bearer secret-key\r\n").status, 200);
}

// Prevents: another site's page in the person's browser that reads this server under its own name.
TEST_F(Refusals, AnswersToNoOtherSitesName) {
  start();
  const auto status = [&](const std::string& host) {
    const HttpConnection connection(port);
    connection.send_text("GET /v1/models HTTP/1.1\r\nConnection: close\r\nHost: " + host +
                         "\r\n\r\n");
    return connection.read_all().status;
  };
  for (const char* host : {"localhost", "localhost:8000", "127.0.0.1:80", "[::1]:80", "10.0.0.7"}) {
    EXPECT_EQ(status(host), 200) << host;
  }
  for (const char* host : {"evil.example", "localhost.evil.example:8000", "127.0.0.1.evil.com"}) {
    EXPECT_EQ(status(host), 403) << host;
  }
}

// Prevents: queueing without end, and a refusal that does not say when to come again.
TEST_F(Refusals, IsBusyWhenTooMuchWaits) {
  limits = {.waiting = 3, .waiting_tokens = 100000};
  start();
  engine->pause_ms = 5;
  std::list<HttpConnection> connections;
  const Json body = {{"prompt", "a"}, {"max_tokens", 200}};
  for (int i = 0; i < 8 + 3; ++i) {
    connections.emplace_back(port).send_call("POST", "/v1/completions", body.dump());
    const int64_t running = std::min(i + 1, 8), waiting = i + 1 - running;
    ASSERT_TRUE(eventually([&] {
      return engine->running == running && queue->waiting() == waiting;
    })) << i;
  }
  const HttpResult refused = post("/v1/completions", body);
  error_of(refused, 503);
  EXPECT_EQ(refused.header("Retry-After"), "1");
  EXPECT_EQ(http(port, "GET", "/health").status, 200);
  EXPECT_NE(http(port, "GET", "/metrics").body.find("{reason=\"queue_full\"} 1\n"),
            std::string::npos);
  for (const HttpConnection& connection : connections) {
    EXPECT_EQ(connection.read_all().status, 200);
  }
}

}  // namespace
}  // namespace alambic::refusals_test
