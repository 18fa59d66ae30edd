// The assistant's turns as it generated them, against transformers' rendering (chat_turns.py).
#include "alambic/text/chat/turns.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/base/json_view.h"
#include "tests/shared_data.h"

namespace alambic::chat_turns_test {
namespace {

using Json = nlohmann::ordered_json;

const fs::path kFolder = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/chat";

std::optional<std::string> source_of(const Json& golden) {
  if (golden.contains("source")) return golden["source"].get<std::string>();
  const auto shared = shared_data();
  if (!shared) return std::nullopt;
  return read_file(*shared / "data/chat-templates" / golden["template"].get<std::string>());
}

Chat chat_of(const Json& golden) {
  const Json row = {{"messages", golden["messages"]}, {"chat_template_kwargs", golden["kwargs"]}};
  const JsonFile file = JsonFile::parse("row", row.dump());
  return read_chat(file.root());
}

std::string_view trimmed(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \n") + 1);
}

// Whether one of the texts has this turn: the request before it, and all of it learned.
bool has_turn(const std::vector<LearnedText>& texts, const Json& turn) {
  const std::string request = turn["request"], completion = turn["completion"];
  for (const LearnedText& text : texts) {
    for (const jinja::Span& span : text.learned) {
      const std::string learned = text.text.substr(span.begin, span.end - span.begin);
      if (text.text.substr(0, span.begin) == request && trimmed(learned) == trimmed(completion)) {
        return true;
      }
    }
  }
  return false;
}

template <class Visit>
void for_each_case(const Visit& visit) {
  const Json file = Json::parse(read_file(kFolder / "turns.json"));
  const std::string tokens = file["tokens"].dump();
  int missing = 0;
  for (const Json& golden : file["cases"]) {
    const auto source = source_of(golden);
    missing += !source;
    if (source) visit(golden, ChatTemplate::parse("t", *source, tokens));
  }
  if (missing > 0) GTEST_SKIP() << missing << " templates need ../shared/data";
}

// Prevents: conversations refused, or learned from another request than the one that will be asked,
// where the template drops the thinking of earlier completions or opens it in the request.
TEST(ChatTurns, AreLearnedAsTheyWereGenerated) {
  for_each_case([](const Json& golden, const ChatTemplate& chat_template) {
    const std::string what = golden["template"].get<std::string>() + ", " + golden["chat"].dump();
    const ChatText written = write_chat(chat_template, chat_of(golden), ChatUse::all_completions);
    size_t learned = 0;
    for (const LearnedText& text : written.texts) learned += text.learned.size();
    EXPECT_EQ(learned, golden["turns"].size()) << what;
    for (const Json& turn : golden["turns"]) {
      EXPECT_TRUE(has_turn(written.texts, turn)) << what << "\n" << turn.dump();
    }
  });
}

TEST(ChatTurns, TheLastOneIsTheCompletion) {
  for_each_case([](const Json& golden, const ChatTemplate& chat_template) {
    const ChatText written = write_chat(chat_template, chat_of(golden), ChatUse::completions);
    EXPECT_EQ(written.prompt, golden["turns"].back()["request"]) << golden["template"];
    EXPECT_EQ(written.completion, golden["turns"].back()["completion"]) << golden["template"];
  });
}

// Prevents: the tokens of a conversation computed once for each of its turns, where they are the
// same.
TEST(ChatTurns, ShareOneTextWhereATurnIsHowTheNextBegins) {
  for_each_case([](const Json& golden, const ChatTemplate& chat_template) {
    const size_t texts =
        write_chat(chat_template, chat_of(golden), ChatUse::all_completions).texts.size();
    const std::string name = golden["template"], chat = golden["chat"];
    if (name == "plain" || name == "Qwen-Qwen2.5-7B-Instruct.jinja") {
      EXPECT_EQ(texts, 1U) << chat;
    } else if (name == "drops") {
      EXPECT_EQ(texts, chat == "one turn" ? 1U : chat == "plain" ? 3U : 2U) << chat;
    }
  });
}

// Prevents: --split-turns never learning something else without a word.
TEST(ChatTurns, WholeConversationsAreRefusedWhereOneTextDoesNotDo) {
  for_each_case([](const Json& golden, const ChatTemplate& chat_template) {
    const std::string name = golden["template"];
    const bool plain = name == "plain" || name == "Qwen-Qwen2.5-7B-Instruct.jinja";
    const Chat chat = chat_of(golden);
    try {
      write_chat(chat_template, chat, ChatUse::whole_conversations);
      EXPECT_TRUE(plain || golden["chat"] == "one turn") << name << golden["chat"];
    } catch (const Error& error) {
      EXPECT_FALSE(plain) << error.what();
      EXPECT_NE(std::string(error.what()).find("cannot tell what the assistant writes"),
                std::string::npos);
    }
  });
}

}  // namespace
}  // namespace alambic::chat_turns_test
