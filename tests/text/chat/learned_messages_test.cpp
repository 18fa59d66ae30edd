// Messages that data says are not to be learned: OpenAI's `weight`, axolotl's `train`.
#include "alambic/text/chat/learned_messages.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/base/json_view.h"
#include "alambic/text/chat/turns.h"

namespace alambic::learned_messages_test {
namespace {

const char* const kPlain =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}";
const char* const kMarked =
    "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}"
    "{{ m.content }}</>{% endgeneration %}{% else %}{{ m.content }}</>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}";

// Two turns; `first` and `second` are further fields of the assistant's messages.
std::string conversation(const std::string& first, const std::string& second) {
  return R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a")" +
         first + R"(}, {"role": "user", "content": "r"}, {"role": "assistant", "content": "b")" +
         second + "}]}";
}

// What is learned, texts and parts with a bar between.
std::string learned(const std::string& row, const char* source,
                    ChatUse use = ChatUse::all_completions) {
  const JsonFile file = JsonFile::parse("row", row);
  const ChatTemplate chat_template = ChatTemplate::parse("t", source);
  std::string parts;
  for (const LearnedText& text : write_chat(chat_template, read_chat(file.root()), use).texts) {
    for (const jinja::Span& span : text.learned) {
      parts += text.text.substr(span.begin, span.end - span.begin) + "|";
    }
  }
  return parts;
}

std::string error_of(const std::string& row, const char* source = kPlain,
                     ChatUse use = ChatUse::all_completions) {
  try {
    return "no error: " + learned(row, source, use);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    return error.what();
  }
}

// Bug: "weight": 0 was handed to the template, and the message was learned all the same.
TEST(LearnedMessages, AreNotThoseOfWeightZero) {
  const std::string without = R"(, "weight": 0)", with = R"(, "weight": 1)";
  for (const char* source : {kPlain, kMarked}) {
    const std::string end = source == kPlain ? "</>\n" : "</>";
    const std::string a = "a" + end + "|", b = "b" + end + "|";
    EXPECT_EQ(learned(conversation("", ""), source), a + b);
    EXPECT_EQ(learned(conversation(without, ""), source), b);
    EXPECT_EQ(learned(conversation(with, R"(, "weight": 0.0)"), source), a);
    EXPECT_EQ(learned(conversation(R"(, "train": false)", with), source), b);
    EXPECT_EQ(learned(conversation(R"(, "training": true)", R"(, "training": false)"), source), a);
    EXPECT_EQ(learned(conversation(R"(, "weight": null)", R"(, "train": null)"), source), a + b);
    EXPECT_NE(error_of(conversation(without, without), source).find("no message"),
              std::string::npos);
  }
  EXPECT_EQ(learned(conversation(without, ""), kPlain, ChatUse::whole_conversations), "b</>\n|");
  EXPECT_NE(error_of(conversation("", without), kPlain, ChatUse::completions).find("completion"),
            std::string::npos);
}

TEST(LearnedMessages, OtherValuesAreRefusedByName) {
  const auto refused = [](const std::string& field, const std::string& excerpt) {
    const std::string error = error_of(conversation(", " + field, ""));
    EXPECT_NE(error.find(excerpt), std::string::npos) << error;
  };
  refused(R"("weight": 0.5)", "\"weight\" is 0.5");
  refused(R"("weight": "0")", "\"weight\" is \"0\"");
  refused(R"("train": 0)", "\"train\" is 0");
  refused(R"("train_detail": [{"begin_offset": 0}])", "\"train_detail\" is [");
  const std::string user = R"({"messages": [{"role": "user", "content": "q", "train": true},)"
                           R"({"role": "assistant", "content": "a"}]})";
  EXPECT_NE(error_of(user, kMarked).find("\"train\" is true"), std::string::npos);
}

// Blocks that are not the messages one by one cannot be told apart.
TEST(LearnedMessages, MustBeMarkedOneByOne) {
  const char* const once =
      "{% generation %}{% for m in messages %}{{ m.content }}{% endfor %}{% endgeneration %}";
  EXPECT_NE(error_of(conversation(R"(, "weight": 0)", ""), once).find("marks 1 parts of 2"),
            std::string::npos);
}

}  // namespace
}  // namespace alambic::learned_messages_test
