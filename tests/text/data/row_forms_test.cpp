// Forms of rows that other tools write, and the types that a field may have.
#include "alambic/text/data/row_forms.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/text/dataset.h"

namespace alambic::row_forms_test {
namespace {

using Json = nlohmann::json;

Json in_our_form(const std::string& row, const std::vector<std::string>& columns = {},
                 bool conversational = true) {
  const DataRow data{.place = "rows.jsonl:1", .text = row};
  return Json::parse(in_our_names(data, parse_columns(columns), conversational).value_or("{}"));
}

std::string error_of(const auto& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    return std::string(error.what()) + " | " + error.hint();
  }
  return "no error";
}

TEST(RowForms, ReadShareGpt) {
  const Json found = in_our_form(
      R"({"id": "a", "system": "s", "conversations": [{"from": "human", "value": "q \"1\""},
          {"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"x\": 1}}"},
          {"from": "observation", "value": "3"}, {"value": "a", "from": "gpt", "weight": 0}],
          "tools": "[]"})");
  EXPECT_EQ(found, Json::parse(R"({"id": "a", "tools": "[]", "messages": [
      {"role": "system", "content": "s"}, {"role": "user", "content": "q \"1\""},
      {"role": "assistant", "content": "", "tool_calls": [{"type": "function",
        "function": {"name": "f", "arguments": {"x": 1}}}]},
      {"role": "tool", "content": "3"}, {"role": "assistant", "content": "a", "weight": 0}]})"));
  // Its own system message stays the only one, and roles with contents stay as they are.
  EXPECT_EQ(
      in_our_form(R"({"system": "no", "conversations": [{"from": "system", "value": "s"},
                            {"role": "user", "content": "q"}]})")["messages"],
      Json::parse(R"([{"role": "system", "content": "s"}, {"role": "user", "content": "q"}])"));
  EXPECT_EQ(in_our_form(R"({"prompt": [{"from": "human", "value": "q"}]})")["prompt"],
            Json::parse(R"([{"role": "user", "content": "q"}])"));
}

TEST(RowForms, RefuseWhatShareGptDoesNotSay) {
  const auto told = [](const char* row) { return error_of([&] { in_our_form(row); }); };
  EXPECT_EQ(told(R"({"conversations": [{"from": "human", "value": "a"},
                                       {"from": "robot", "value": "b"}]})")
                .find("rows.jsonl:1: conversations[1]: field \"from\": unknown speaker robot"),
            0u);
  EXPECT_EQ(told(R"({"conversations": [{"from": "gpt", "value": null}]})")
                .find("rows.jsonl:1: conversations[0]: \"value\" is null; expected what gpt says"),
            0u);
  EXPECT_NE(told(R"j({"conversations": [{"from": "function_call", "value": "f(1)"}]})j")
                .find("expected a call as JSON"),
            std::string::npos);
}

TEST(RowForms, ReadAlpaca) {
  const char* row = R"({"instruction": "Add.", "input": "1 \"and\" 2", "output": "3", "id": 7})";
  EXPECT_EQ(in_our_form(row), Json::parse(R"({"id": 7, "messages": [
      {"role": "user", "content": "Add.\n1 \"and\" 2"}, {"role": "assistant", "content": "3"}]})"));
  EXPECT_EQ(in_our_form(row, {}, false),
            Json::parse(R"({"id": 7, "prompt": "Add.\n1 \"and\" 2", "completion": "3"})"));
  for (const char* input : {"\"\"", "null"}) {
    const Json found = in_our_form(
        fmt::format(R"({{"instruction": "Hi", "input": {}, "output": "Yo"}})", input), {}, false);
    EXPECT_EQ(found["prompt"], "Hi");
  }
  EXPECT_EQ(in_our_form(R"({"instruction": "c", "output": "d", "system": "s",
                            "history": [["a", "b"]]})")["messages"],
            Json::parse(R"([{"role": "system", "content": "s"}, {"role": "user", "content": "a"},
                            {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"},
                            {"role": "assistant", "content": "d"}])"));
  // A row in our own form has an instruction of its own.
  EXPECT_EQ(in_our_form(R"({"instruction": "x", "output": "y", "prompt": "p"})"), Json::object());
}

// Prevents: the `text` of tatsu-lab/alpaca, which trainers of texts take, left out for a
// conversation; generation, which has no use for a text, reads the question.
TEST(RowForms, ReadTextBeforeAlpaca) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "rows.jsonl";
  write_file(file, R"({"instruction": "a", "input": "", "output": "b", "text": "a, then b"})");
  const Dataset both = Dataset::open(file, {});
  EXPECT_TRUE(both.holds_text());
  EXPECT_EQ(Examples(both, {{"text"}})[0].text, "a, then b");
  const Example asked = Examples(both, {{"prompt"}})[0];
  EXPECT_EQ(asked.prompt + asked.completion.value_or(""), "ab");
  write_file(file, R"({"instruction": "a", "output": "b", "text": null})");
  EXPECT_FALSE(Dataset::open(file, {}).holds_text());
}

// Fields that are no texts were once left out without a word, and an output of null learned as
// none.
TEST(RowForms, RefuseFieldsThatAreNoTexts) {
  const std::pair<const char*, const char*> table[] = {
      {R"({"instruction": "a", "output": null})", "field \"output\" is null; expected a text"},
      {R"({"instruction": "a", "output": 5})", "field \"output\" is 5"},
      {R"({"instruction": "a", "input": 5, "output": "b"})", "field \"input\": expected a text"},
      {R"({"instruction": "a", "system": [], "output": "b"})", "field \"system\": expected a text"},
      {R"({"instruction": "a", "history": "x", "output": "b"})", "field \"history\": expected a"},
      {R"({"instruction": "a", "history": [["x"]], "output": "b"})", "expected pairs of two texts"},
      {R"({"conversations": [], "system": 5})", "field \"system\": expected a text, found 5"},
      {R"({"conversations": {"from": "human"}})", "field \"conversations\": expected a list"},
  };
  for (const auto& [row, expected] : table) {
    const std::string told = error_of([&, text = row] { in_our_form(text); });
    EXPECT_NE(told.find(expected), told.npos) << row << ": " << told;
  }
}

TEST(RowForms, RenameColumns) {
  EXPECT_EQ(in_our_form(R"({"question": "q", "answer": 5, "prompt": "old"})",
                        {"prompt=question,completion=answer"}),
            Json::parse(R"({"prompt": "q", "completion": 5})"));
  EXPECT_EQ(in_our_form(R"({"a": "1", "b": "2"})", {"prompt=b", "answer=b", "completion=a"}),
            Json::parse(R"({"prompt": "2", "answer": "2", "completion": "1"})"));
  EXPECT_EQ(
      in_our_form(R"({"prompt": "c", "completion": "p"})", {"prompt=completion,completion=prompt"}),
      Json::parse(R"({"prompt": "p", "completion": "c"})"));
  const auto told = [](const std::vector<std::string>& columns) {
    return error_of([&] { in_our_form(R"({"q": 1, "id": 2})", columns); });
  };
  EXPECT_NE(told({"prompt=question"})
                .find("rows.jsonl:1: --columns prompt=question: the row has no field \"question\"; "
                      "found: q, id"),
            std::string::npos);
  EXPECT_NE(told({"promt=q"}).find("did you mean 'prompt'?"), std::string::npos);
  EXPECT_NE(told({"prompt"}).find("expected OURS=THEIRS"), std::string::npos);
  EXPECT_NE(told({"prompt=q,prompt=id"}).find("given twice"), std::string::npos);
}

struct RowTypes : testing::Test {
  TemporaryFolder folder;

  Example read(const std::string& row, const std::vector<Fields>& any_of = {{"prompt"}}) {
    write_file(folder.path() / "rows.jsonl", row);
    return read_examples((folder.path() / "rows.jsonl").string(), any_of).front();
  }
};

// As numbers an answer was once refused; a double would lose the last digits of long ones.
TEST_F(RowTypes, AnswersMayBeNumbersBooleansAndLists) {
  const auto answers = [&](const std::string& json) {
    return read(fmt::format(R"({{"prompt": "q", "answer": {}}})", json)).answers;
  };
  using Answers = std::vector<std::string>;
  EXPECT_EQ(answers("42"), Answers{"42"});
  EXPECT_EQ(answers("-0.50"), Answers{"-0.50"});
  EXPECT_EQ(answers("1.5e3"), Answers{"1500"});
  EXPECT_EQ(answers("123456789012345678901234567890"), Answers{"123456789012345678901234567890"});
  EXPECT_EQ(answers("true"), (Answers{"True", "true"}));
  EXPECT_EQ(answers(R"(["a\n", 7, false])"), (Answers{"a\n", "7", "False", "false"}));
  EXPECT_EQ(answers("null"), Answers{});
  EXPECT_EQ(answers("NaN"), Answers{});  // as pandas writes what is missing
  for (const char* json : {"[]", "{}", "[null]", "[[1]]", R"({"text": ["a"]})", "[NaN]"}) {
    const std::string told = error_of([&] { answers(json); });
    EXPECT_NE(told.find("rows.jsonl:1: field \"answer\""), told.npos) << json << ": " << told;
  }
}

// Every known field with every type of JSON: read, or refused by name.
TEST_F(RowTypes, OfEveryFieldAreReadOrRefusedByName) {
  const char* fields[] = {"text", "prompt", "completion", "teacher", "teacher_prompt", "answer"};
  const char* values[] = {"null", "true",         "0",    "-7",    "1.5", "18446744073709551616",
                          "NaN",  "-Infinity",    "\"\"", "\"x\"", "{}",  "[]",
                          "[1]",  "{\"a\": null}"};
  for (const std::string field : fields) {
    for (const std::string value : values) {
      const std::string row =
          fmt::format(R"({{"prompt": "p", "completion": "c", "{}": {}}})", field, value);
      const bool text = value.starts_with('"'),
                 nothing = value == "null" || value == "NaN" || value == "-Infinity";
      const bool number = value.find_first_not_of("-.0123456789e") == value.npos;
      const bool taken = text || (nothing && field != "prompt" && field != "completion") ||
                         (field == "answer" && (number || value == "true" || value == "[1]"));
      const std::string told = error_of([&] { read(row, {{"prompt", "completion"}}); });
      EXPECT_EQ(told == "no error", taken) << row << ": " << told;
      if (taken || value.starts_with('[')) continue;  // a list may be a conversation
      EXPECT_NE(told.find(field), told.npos) << row << ": " << told;
    }
  }
}

}  // namespace
}  // namespace alambic::row_forms_test
