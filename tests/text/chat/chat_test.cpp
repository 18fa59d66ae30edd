// Conversations in data sets: what is read, what is refused, what a template makes of it.
#include "alambic/text/chat/chat.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/text/dataset.h"

namespace alambic::chat_test {
namespace {

const char* const kPlain =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}";

struct ChatRows : testing::Test {
  void SetUp() override {
    folder = fs::temp_directory_path() / fmt::format("alambic-chat-rows-{}", ::getpid());
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  std::vector<Example> read(const std::string& rows, ChatUse use = ChatUse::prompts,
                            const std::string& source = kPlain) {
    const ChatTemplate chat_template = ChatTemplate::parse("t.jinja", source);
    write_file(folder / "rows.jsonl", rows);
    return read_examples(
        folder / "rows.jsonl", {{"prompt"}, {"messages"}},
        {.chat_template = [&]() -> const ChatTemplate& { return chat_template; }, .use = use});
  }
  std::string error(const std::string& rows, ChatUse use = ChatUse::prompts,
                    const std::string& source = kPlain) {
    try {
      read(rows, use, source);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      return std::string(error.what()) + " | " + error.hint();
    }
    return "no error";
  }
  fs::path folder;
};

const std::string kTwoTurns =
    R"({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"},)"
    R"({"role": "assistant", "content": "a"}, {"role": "user", "content": "r"},)"
    R"({"role": "assistant", "content": "b"}], "answer": "7"})";

TEST_F(ChatRows, TheLastCompletionIsTheCompletion) {
  const Example row = read("\n" + kTwoTurns, ChatUse::completions).front();
  EXPECT_TRUE(row.place.ends_with("rows.jsonl:2")) << row.place;
  EXPECT_EQ(row.prompt, "<system>s</>\n<user>q</>\n<assistant>a</>\n<user>r</>\n<assistant>");
  EXPECT_EQ(row.completion, "b");
  EXPECT_EQ(row.answers, std::vector<std::string>{"7"});
  EXPECT_EQ(row.chat->written.completion, "b</>\n");
  EXPECT_EQ(prompt_messages(*row.chat).dump(),
            R"([{"role":"system","content":"s"},{"role":"user","content":"q"},)"
            R"({"role":"assistant","content":"a"},{"role":"user","content":"r"}])");
}

// Prevents: a conversation that waits for a completion losing its last question.
TEST_F(ChatRows, AConversationThatEndsWithAQuestionIsAPromptWhole) {
  const auto rows = read(R"({"messages": [{"role": "user", "content": "q"}]})"
                         "\n"
                         R"({"prompt": [{"role": "user", "content": "q"}]})");
  for (const Example& row : rows) {
    EXPECT_EQ(row.prompt, "<user>q</>\n<assistant>");
    EXPECT_EQ(row.completion, std::nullopt);
  }
}

TEST_F(ChatRows, ACompletionIsATextOrMessages) {
  const std::string prompt = R"({"prompt": [{"role": "user", "content": "q"}], "completion": )";
  for (const char* completion : {R"("a"})", R"([{"role": "assistant", "content": "a"}]})"}) {
    const Example row = read(prompt + completion, ChatUse::completions).front();
    EXPECT_EQ(row.prompt, "<user>q</>\n<assistant>");
    EXPECT_EQ(row.chat->written.completion, "a</>\n");
    EXPECT_EQ(row.completion, "a");
  }
}

std::vector<std::string> learned(const Example& row) {
  std::vector<std::string> texts;
  for (const LearnedText& written : row.chat->written.texts) {
    for (const auto& [begin, end] : written.learned) {
      texts.push_back(written.text.substr(begin, end - begin));
    }
  }
  return texts;
}

using Texts = std::vector<std::string>;

TEST_F(ChatRows, AllCompletionsAreLearnedButThoseOfAPrompt) {
  EXPECT_EQ(learned(read(kTwoTurns, ChatUse::all_completions).front()),
            (Texts{"a</>\n", "b</>\n"}));
  const std::string row =
      R"({"prompt": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"},)"
      R"({"role": "user", "content": "r"}], "completion": "b"})";
  const std::string marked =
      "{% for m in messages %}<{{ m.role }}>{% generation %}{{ m.content }}{% endgeneration %}"
      "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
  EXPECT_EQ(learned(read(row, ChatUse::all_completions).front()), (Texts{"b</>\n"}));
  EXPECT_EQ(learned(read(row, ChatUse::all_completions, marked).front()), (Texts{"b"}));
}

TEST_F(ChatRows, ToolsAndOtherVariablesReachTheTemplate) {
  const std::string source = "{{ tools | tojson }}{{ enable_thinking }}";
  for (const char* tools : {R"([{"name": "f"}])", R"("[{\"name\": \"f\"}]")"}) {
    const std::string row =
        fmt::format(R"({{"messages": [{{"role": "user", "content": "q"}}], "tools": {},)"
                    R"("chat_template_kwargs": {{"enable_thinking": false}}}})",
                    tools);
    EXPECT_EQ(read(row, ChatUse::prompts, source).front().prompt, R"([{"name": "f"}]False)");
  }
}

TEST_F(ChatRows, ATeachersPromptMayBeAConversation) {
  const Example row =
      read(R"({"prompt": "q", "teacher_prompt": [{"role": "user", "content": "the answer is 7"}]})")
          .front();
  EXPECT_EQ(row.prompt, "q");
  EXPECT_EQ(row.chat, nullptr);
  EXPECT_TRUE(row.teacher_chat);
  EXPECT_EQ(row.teacher_prompt, "<user>the answer is 7</>\n<assistant>");
}

struct Bad {
  const char* row;
  const char* message;
};

TEST_F(ChatRows, ErrorsNameLineFieldAndValue) {
  const Bad table[] = {
      {R"({"messages": []})", "rows.jsonl:1: field \"messages\": there are no messages"},
      {R"({"messages": "hi"})", "rows.jsonl:1: field \"messages\": expected a list"},
      {R"({"messages": [{"content": "x"}]})", "field \"messages[0]\": no field \"role\""},
      {R"({"messages": [{"role": "asistant", "content": "x"}]})",
       "field \"messages[0].role\": expected a role such as system, user, assistant or tool, found "
       "\"asistant\" | did you mean \"assistant\"?"},
      {R"({"messages": [{"role": 5}]})", "field \"messages[0].role\": expected a string"},
      {R"({"messages": [{"role": "user"}]})", "field \"messages[0]\": no field \"content\""},
      {R"({"messages": [{"role": "user", "content": 5}]})", "expected a text or a list of parts"},
      {R"({"messages": [{"role": "assistant", "content": "x"}]})",
       "rows.jsonl:1: the conversation begins with the assistant's message"},
      {R"({"prompt": []})", "field \"prompt\": there are no messages"},
      {R"({"prompt": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "x"}]})",
       "field \"prompt[1]\": a prompt must not end with a message of the assistant"},
      {R"({"prompt": [{"role": "user", "content": "q"}],)"
       R"("completion": [{"role": "user", "content": "x"}]})",
       "the completion must end with a message of the assistant"},
      {R"({"prompt": "q", "completion": [{"role": "user", "content": "x"}]})",
       "field \"completion\": expected a string"},
      {R"({"messages": [{"role": "user", "content": "q"}], "tools": 5})", "field \"tools\""},
      {R"({"messages": [{"role": "user", "content": "q"}], "tools": "[{"})",
       "rows.jsonl:1: field \"tools\" is not valid JSON"},
      {R"({"messages": [{"role": "user", "content": "q"}], "chat_template_kwargs": []})",
       "field \"chat_template_kwargs\": expected an object"},
      {R"({"conversations": []})", "field \"messages\": there are no messages"},
      {R"({"messages": [{"role": "user", "content": null}]})",
       "field \"messages[0]\": \"content\" is null"},
  };
  for (const Bad& bad : table) {
    EXPECT_NE(error(bad.row).find(bad.message), std::string::npos) << bad.row << "\n"
                                                                   << error(bad.row);
  }
  const std::string question = R"({"messages": [{"role": "user", "content": "q"}]})";
  EXPECT_NE(
      error(question, ChatUse::completions).find("rows.jsonl:1: the conversation ends with a"),
      std::string::npos);
  EXPECT_NE(error(question, ChatUse::all_completions).find("no message of the assistant"),
            std::string::npos);
  EXPECT_NE(error(question, ChatUse::prompts, "{{ raise_exception('no') }}")
                .find("rows.jsonl:1: t.jinja:1: the template refuses: no"),
            std::string::npos);
}

// Prevents: a loss on the wrong tokens where the template drops the reasoning of earlier
// completions, or opens a completion in a way that it does not write again.
TEST_F(ChatRows, ATemplateThatRewritesIsRefusedWithTheDifferenceWhereItIsAskedFor) {
  const std::string drops =
      "{% for m in messages %}<{{ m.role }}>"
      "{{ m.content if loop.last else m.content[:1] }}</>{% endfor %}"
      "{% if add_generation_prompt %}<assistant>{% endif %}";
  const std::string row =
      R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "abc"},)"
      R"({"role": "user", "content": "r"}, {"role": "assistant", "content": "b"}]})";
  const std::string told = error(row, ChatUse::whole_conversations, drops);
  EXPECT_NE(told.find("rows.jsonl:1: cannot tell what the assistant writes in message 2: the "
                      "template writes the conversation up to it as"),
            std::string::npos)
      << told;
  EXPECT_NE(told.find("<assistant>abc</>\""), std::string::npos) << told;
  EXPECT_NE(told.find("--chat-template FILE"), std::string::npos) << told;
  EXPECT_EQ(learned(read(row, ChatUse::all_completions, drops).front()), (Texts{"abc</>", "b</>"}));
  const std::string strange = std::string(kPlain) + "{% if add_generation_prompt %}#{% endif %}";
  EXPECT_NE(error(kTwoTurns, ChatUse::completions, strange).find("in message 5"),
            std::string::npos);
  EXPECT_EQ(error(kTwoTurns, ChatUse::prompts, strange), "no error");
}

TEST_F(ChatRows, WithoutATemplateConversationsAreRefused) {
  write_file(folder / "rows.jsonl", kTwoTurns);
  for (const std::vector<Fields>& any_of :
       {std::vector<Fields>{{"prompt"}}, std::vector<Fields>{{"messages"}}}) {
    try {
      read_examples(folder / "rows.jsonl", any_of);
      FAIL();
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("rows.jsonl:1: the row is a conversation"),
                std::string::npos)
          << error.what();
    }
  }
}

TEST_F(ChatRows, HoldsTextOnlyWhereNothingElseIsOffered) {
  const std::pair<const char*, bool> table[] = {
      {R"({"text": "t"})", true},
      {R"({"text": "t", "prompt": "p"})", false},
      {R"({"text": "t", "messages": []})", false},
      {R"({"prompt": "p"})", false},
  };
  for (const auto& [row, text] : table) {
    write_file(folder / "rows.jsonl", std::string("\n") + row + "\n{broken");
    EXPECT_EQ(Dataset::open(folder / "rows.jsonl").holds_text(), text) << row;
  }
  write_file(folder / "anything.txt", "{");
  EXPECT_TRUE(Dataset::open(folder / "anything.txt").holds_text());
}

}  // namespace
}  // namespace alambic::chat_test
