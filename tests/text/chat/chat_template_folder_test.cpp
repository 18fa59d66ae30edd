// Where a model folder keeps its chat template, and what the template is given.
#include <gtest/gtest.h>
#include <unistd.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <string>

#include "alambic/base/error.h"
#include "alambic/text/chat/chat_template.h"

namespace alambic::chat_template_folder_test {
namespace {

using Json = nlohmann::ordered_json;

class ChatTemplateFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / fmt::format("alambic-chat-{}", ::getpid());
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string render() { return ChatTemplate::load(folder).render(jinja::Dict()).text; }
  std::string error() {
    try {
      return "rendered " + render();
    } catch (const Error& error) {
      return error.what();
    }
  }
  fs::path folder;
};

Conversation conversation(const std::string& messages) {
  Conversation made;
  made.messages = jinja::parse_json("messages", messages);
  return made;
}

// Prevents: another file winning than in transformers.
TEST_F(ChatTemplateFolder, TheJinjaFileWinsThenTheTokenizersConfigThenTheProcessors) {
  EXPECT_FALSE(ChatTemplate::exists(folder));
  EXPECT_NE(error().find("has no chat template"), std::string::npos);
  write_file(folder / "chat_template.json", R"({"chat_template": "json"})");
  EXPECT_EQ(render(), "json");
  write_file(folder / "tokenizer_config.json", R"({"chat_template": "config"})");
  EXPECT_EQ(render(), "config");
  write_file(folder / "chat_template.jinja", "jinja\n");
  EXPECT_EQ(render(), "jinja");
  EXPECT_TRUE(ChatTemplate::exists(folder));
}

TEST_F(ChatTemplateFolder, SpecialTokensAreTextsOrObjectsOfEitherFile) {
  write_file(folder / "tokenizer_config.json",
             R"({"chat_template": "{{ bos_token }}{{ eos_token }}{{ pad_token }}",
                 "bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}})");
  write_file(folder / "special_tokens_map.json", R"({"pad_token": "<pad>", "bos_token": "<b>"})");
  EXPECT_EQ(render(), "<b></s><pad>");
}

TEST_F(ChatTemplateFolder, OneOfSeveralNamedTemplates) {
  write_file(folder / "tokenizer_config.json",
             R"({"chat_template": [{"name": "default", "template": "d"},
                                   {"name": "tool_use", "template": "t"}]})");
  EXPECT_EQ(render(), "d");
  EXPECT_EQ(ChatTemplate::load(folder, "tool_use").render(jinja::Dict()).text, "t");
  try {
    ChatTemplate::load(folder, "rag");
    FAIL() << "there is no such template";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("there are: default, tool_use"), std::string::npos)
        << error.what();
  }
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// Prevents: tools dropped without a word where the model has a template for them, and any other
// choice of a template or a special token than AutoTokenizer's
// (tools/goldens/chat_template_places).
TEST_F(ChatTemplateFolder, TheTemplateIsTheOneThatTransformersTakes) {
  const Json golden =
      Json::parse(read_file(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/templates/places.json"));
  for (const Json& one : golden["cases"]) {
    fs::remove_all(folder);
    for (const auto& [path, bytes] : one["files"].items()) {
      std::string text = bytes;
      for (size_t at = 0; (at = text.find("«")) != text.npos;) {
        const size_t end = text.find("»", at);
        std::string body = golden["body"];
        replace_all(body, "«»", text.substr(at + 2, end - at - 2));
        text.replace(at, end + 2 - at, body);
      }
      fs::create_directories((folder / path).parent_path());
      write_file(folder / path, text);
    }
    const std::string name = one["name"].is_null() ? "" : one["name"].get<std::string>();
    const jinja::Value row = jinja::parse_json("row", one["row"].dump());
    std::string text;
    try {
      text = ChatTemplate::load(folder, name).render(as_applied(*row.dict())).text;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input) << error.what();
    }
    EXPECT_EQ(text, one["text"].get<std::string>()) << one.dump(1);
  }
}

TEST_F(ChatTemplateFolder, ErrorsNameFileLineAndReason) {
  write_file(folder / "chat_template.jinja", "a\n{{ messages[0].role.x.y }}");
  EXPECT_NE(error().find("chat_template.jinja:2: UndefinedError: "), std::string::npos) << error();
  write_file(folder / "chat_template.jinja", "a\nb\n{% if %}");
  EXPECT_NE(error().find("chat_template.jinja:3: TemplateSyntaxError: expected an expression"),
            std::string::npos)
      << error();
  write_file(folder / "chat_template.jinja", "{{ raise_exception('roles must alternate') }}");
  EXPECT_NE(error().find(":1: the template refuses: roles must alternate"), std::string::npos);
  fs::remove(folder / "chat_template.jinja");
  write_file(folder / "tokenizer_config.json", R"({"chat_template": 5})");
  EXPECT_NE(error().find("found int"), std::string::npos) << error();
}

// Prevents: reasoning lost because a template reads it under another name.
TEST_F(ChatTemplateFolder, ReasoningIsKnownUnderTheNamesThatTemplatesRead) {
  const auto chat = ChatTemplate::parse(
      "t", "{% for m in messages %}{{ m.reasoning_content }}|{{ m.thinking }};{% endfor %}");
  EXPECT_EQ(chat.render(conversation(R"([{"role": "assistant", "content": "x", "thinking": "a"},
                                         {"role": "assistant", "reasoning": "b"},
                                         {"role": "user", "content": "c"}])"))
                .text,
            "a|a;b|b;|;");
}

TEST_F(ChatTemplateFolder, AssistantSpansAreBytesOfTheText) {
  const auto chat = ChatTemplate::parse(
      "t",
      "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}"
      "{{ m.content }}</s>{% endgeneration %}{% else %}{{ m.content }}{% endif %}"
      "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}");
  Conversation talk = conversation(R"([{"role": "user", "content": "é"},
                                       {"role": "assistant", "content": "ü"}])");
  talk.add_generation_prompt = true;
  const jinja::Rendered rendered = chat.render(talk);
  EXPECT_TRUE(chat.marks_completions(talk.tools));
  EXPECT_EQ(rendered.text, "<user>é<assistant>ü</s><assistant>");
  ASSERT_EQ(rendered.generated.size(), 1U);
  const auto [begin, end] = rendered.generated[0];
  EXPECT_EQ(rendered.text.substr(begin, end - begin), "ü</s>");
}

TEST_F(ChatTemplateFolder, StrftimeNowReadsTheGivenTime) {
  const auto chat = ChatTemplate::parse("t", "{{ strftime_now('%Y|') }}{{ tools is none }}");
  std::tm day{};
  day.tm_year = 99;
  day.tm_mday = 15;
  EXPECT_EQ(chat.render(jinja::Dict(), std::mktime(&day)).text, "1999|True");
}

}  // namespace
}  // namespace alambic::chat_template_folder_test
