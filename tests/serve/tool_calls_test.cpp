// Calls of tools in every form that families write them in, whole and piece by piece.
#include "alambic/serve/tool_calls.h"

#include "tests/serve/serve_fixture.h"

namespace alambic::tool_calls_test {
namespace {

struct Read {
  std::string text;
  std::vector<std::pair<std::string, std::string>> calls;
  bool operator==(const Read&) const = default;
};

Read read(ToolCallForm form, const std::string& text, size_t piece) {
  ToolCallReader reader(form, {"add", "look"});
  Read all;
  for (size_t at = 0; at < text.size(); at += piece)
    all.text += reader.push(text.substr(at, piece));
  all.text += reader.finish();
  for (const ToolCall& call : reader.calls()) all.calls.emplace_back(call.name, call.arguments);
  return all;
}

// Bug: calls as text, text as calls, or both depending on where a token ends.
TEST(ToolCalls, AreFoundInEveryFormHoweverTheTextIsCut) {
  using Form = ToolCallForm;
  const std::string add = R"({"a":1,"b":"</x>"})";
  const std::tuple<Form, std::string, Read> cases[] = {
      {Form::hermes,
       "Sure.\n<tool_call>\n{\"name\": \"add\", \"arguments\": " + add +
           "}\n</tool_call>\n<tool_call>{\"name\":\"look\",\"arguments\":{}}</tool_call>",
       {"Sure.\n", {{"add", add}, {"look", "{}"}}}},
      {Form::hermes, "<tool_call>{\"name\":\"look\",\"arguments\":{}}", {"", {{"look", "{}"}}}},
      {Form::hermes, "a < b, <tool", {"a < b, <tool", {}}},
      {Form::hermes,
       "<tool_call>{\"name\": \"other\", \"arguments\": {}}</tool_call>",
       {"<tool_call>{\"name\": \"other\", \"arguments\": {}}</tool_call>", {}}},
      {Form::hermes,
       "<tool_call>{broken</tool_call> end",
       {"<tool_call>{broken</tool_call> end", {}}},
      {Form::llama3_json, "{\"name\": \"add\", \"parameters\": " + add + "}", {"", {{"add", add}}}},
      {Form::llama3_json,
       "<|python_tag|>{\"name\":\"look\",\"parameters\":{}}; {\"name\":\"add\","
       "\"parameters\":" +
           add + "}",
       {"", {{"look", "{}"}, {"add", add}}}},
      {Form::llama3_json, "{\"answer\": 4}", {"{\"answer\": 4}", {}}},
      {Form::llama3_json,
       "It is {\"name\": \"add\", \"parameters\": {}}",
       {"It is {\"name\": \"add\", \"parameters\": {}}", {}}},
      {Form::mistral,
       "[TOOL_CALLS][{\"name\": \"add\", \"arguments\": " + add +
           "}, {\"name\": \"look\", \"arguments\": {}}]",
       {"", {{"add", add}, {"look", "{}"}}}},
      {Form::mistral,
       "[TOOL_CALLS]add[ARGS]" + add + "[TOOL_CALLS]look[ARGS]{}",
       {"", {{"add", add}, {"look", "{}"}}}},
      {Form::mistral, "[TOOL", {"[TOOL", {}}},
      {Form::deepseek,
       "Let me see.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>add<｜tool▁sep｜>" + add +
           "<｜tool▁call▁end｜><｜tool▁call▁begin｜>look<｜tool▁sep｜>{}<｜tool▁call▁end｜>"
           "<｜tool▁calls▁end｜>",
       {"Let me see.", {{"add", add}, {"look", "{}"}}}},
      {Form::deepseek,
       "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n" + add +
           "\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
       {"", {{"add", add}}}}};
  for (const auto& [form, text, expected] : cases) {
    for (const size_t piece : {text.size(), size_t{1}, size_t{7}}) {
      const Read found = read(form, text, piece);
      EXPECT_EQ(found.text, expected.text) << text << " by " << piece;
      EXPECT_EQ(found.calls, expected.calls) << text << " by " << piece;
    }
  }
}

TEST(ToolCalls, HaveTheFormOfTheTemplate) {
  ServedModel model = fake_model("student");
  EXPECT_EQ(tool_call_form(model), ToolCallForm::none);
  model.chat_template = &tool_template();
  EXPECT_EQ(tool_call_form(model), ToolCallForm::hermes);
}

// Bug: clients that ask for one call at a time got several.
TEST(ToolCalls, AreOneWhereOneIsAskedFor) {
  const std::string call = R"(<tool_call>{"name": "look", "arguments": {}}</tool_call>)";
  ToolCallReader reader(ToolCallForm::hermes, {"look"}, /*one=*/true);
  EXPECT_EQ(reader.push(call + call) + reader.finish(), "");
  EXPECT_EQ(reader.calls().size(), 1u);
}

struct ToolAnswers : ServeTest {
  const Json request = {{"messages", {{{"role", "user"}, {"content", "1 + 2"}}}},
                        {"tools", {{{"type", "function"}, {"function", {{"name", "add"}}}}}},
                        {"max_tokens", 200}};

  void start_with_tools(const std::string& script) {
    start();
    engine->script = script;
  }
  std::vector<ServedModel> models() const override {
    ServedModel model = fake_model("student");
    model.chat_template = &tool_template();
    return {model};
  }
};

// Bug: OpenAI's clients find no call, and their loop ends with the model's markup as the answer.
TEST_F(ToolAnswers, ComeAsCallsWholeAndStreamed) {
  start_with_tools("Yes. <tool_call>{\"name\": \"add\", \"arguments\": {\"a\": 1}}</tool_call>");
  const Json choice = posted("/v1/chat/completions", request)["choices"][0];
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  EXPECT_EQ(choice["message"]["content"], "Yes. ");
  const Json& call = choice["message"]["tool_calls"][0];
  EXPECT_EQ(call["type"], "function");
  EXPECT_TRUE(call["id"].get<std::string>().starts_with("call_"));
  EXPECT_EQ(call["function"], Json({{"name", "add"}, {"arguments", "{\"a\":1}"}}));
  Json streamed = request;
  streamed["stream"] = true;
  std::string content, reason;
  Json calls = Json::array();
  for (const std::string& event : events_of(post("/v1/chat/completions", streamed).body)) {
    if (event == "[DONE]") continue;
    const Json part = Json::parse(event)["choices"][0];
    content += part["delta"].value("content", "");
    if (part["delta"].contains("tool_calls")) calls.push_back(part["delta"]["tool_calls"][0]);
    if (part["finish_reason"].is_string()) reason = part["finish_reason"];
  }
  EXPECT_EQ(content, "Yes. ");
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0]["index"], 0);
  EXPECT_EQ(calls[0]["function"]["arguments"], "{\"a\":1}");
  EXPECT_EQ(reason, "tool_calls");
  engine->script += "<tool_call>{\"name\": \"add\", \"arguments\": {\"a\": 2}}</tool_call>";
  Json one = request;
  EXPECT_EQ(posted("/v1/chat/completions", one)["choices"][0]["message"]["tool_calls"].size(), 2u);
  one["parallel_tool_calls"] = false;
  EXPECT_EQ(posted("/v1/chat/completions", one)["choices"][0]["message"]["tool_calls"].size(), 1u);
  // Nothing was offered.
  Json plain = request;
  plain["tool_choice"] = "none";
  const Json text = posted("/v1/chat/completions", plain)["choices"][0];
  EXPECT_EQ(text["finish_reason"], "stop");
  EXPECT_EQ(text["message"]["content"], engine->script);
}

}  // namespace
}  // namespace alambic::tool_calls_test
