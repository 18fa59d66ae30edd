// Conversations as tokens, against transformers' apply_chat_template(return_assistant_tokens_mask).
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/text/chat/chat_tokens.h"
#include "alambic/text/jinja/json_value.h"
#include "tests/shared_data.h"

namespace alambic::chat_masks_test {
namespace {

using Json = nlohmann::ordered_json;

const fs::path kFolder = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/chat";

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// The template of a case as it is shipped; nothing where that takes data that is not here.
std::optional<std::string> shipped(const Json& golden) {
  if (!golden["shared"]) return golden["template"].get<std::string>();
  const auto folder = shared_data();
  if (!folder) return std::nullopt;
  return read_file(*folder / "data/chat-templates" / golden["template"].get<std::string>());
}

std::string marked(std::string source, const Json& golden) {
  for (const Json& pair : golden["replace"]) replace_all(source, pair[0], pair[1]);
  return source;
}

Chat chat_of(const Json& messages) {
  const JsonFile file = JsonFile::parse("row", Json{{"messages", messages}}.dump());
  return read_chat(file.root());
}

MaskedTokens tokens_of(const std::string& source, const std::string& name, const Json& row) {
  const Tokenizer tokenizer = Tokenizer::load(kFolder / name);
  const auto chat_template =
      ChatTemplate::parse(name, source, read_file(kFolder / name / "tokenizer_config.json"));
  return learned_ids(
      tokenizer,
      write_chat(chat_template, chat_of(row["messages"]), ChatUse::all_completions).texts.front());
}

std::string digits(const std::vector<bool>& mask) {
  std::string text;
  for (const bool bit : mask) text += bit ? '1' : '0';
  return text;
}

template <class Visit>
void for_each_row(const Visit& visit) {
  int missing = 0;
  for (const Json& golden : Json::parse(read_file(kFolder / "masks.json"))) {
    const auto source = shipped(golden);
    missing += !source;
    if (!source) continue;
    for (const Json& row : golden["rows"]) visit(golden, *source, row);
  }
  if (missing > 0) GTEST_SKIP() << missing << " templates need ../shared/data";
}

// Prevents: a loss on the user's tokens, or none on the completion's first or last ones; BOS twice.
TEST(ChatMasks, GenerationBlocksAreThoseOfTransformers) {
  for_each_row([](const Json& golden, const std::string& source, const Json& row) {
    const std::string name = golden["name"];
    const MaskedTokens tokens = tokens_of(marked(source, golden), name, row);
    EXPECT_EQ(tokens.ids, row["ids"].get<std::vector<int32_t>>()) << name << row["messages"];
    EXPECT_EQ(digits(tokens.learned), row["mask"].get<std::string>()) << name << row["messages"];
  });
}

// Prevents: other tokens being learned where the template does not mark them. The blocks of these
// templates are the whole completion with its end-of-turn token.
TEST(ChatMasks, PrefixDifferencesAreTheSame) {
  for_each_row([](const Json& golden, std::string source, const Json& row) {
    const std::string name = golden["name"];
    // DeepSeek's writes earlier completions differently, Gemma's block has the line's end too.
    if (name == "deepseek3.1" || name == "gemma2") return;
    replace_all(source, "{% generation %}", "");
    replace_all(source, "{% endgeneration %}\n", "");  // trim_blocks takes the line's end
    const MaskedTokens tokens = tokens_of(source, name, row);
    EXPECT_EQ(tokens.ids, row["ids"].get<std::vector<int32_t>>()) << name << row["messages"];
    EXPECT_EQ(digits(tokens.learned), row["mask"].get<std::string>()) << name << row["messages"];
  });
}

// The prompt's tokens and the completion's, one after the other, are those of the whole.
TEST(ChatMasks, PromptAndCompletionMakeUpTheWhole) {
  for_each_row([](const Json& golden, const std::string& source, const Json& row) {
    const std::string name = golden["name"];
    if (name == "gemma2" || name == "deepseek3.1") return;
    const Tokenizer tokenizer = Tokenizer::load(kFolder / name);
    const auto chat_template =
        ChatTemplate::parse(name, source, read_file(kFolder / name / "tokenizer_config.json"));
    auto chat = std::make_shared<Chat>(chat_of(row["messages"]));
    if (!chat->has_completion()) return;
    chat->written = write_chat(chat_template, *chat, ChatUse::completions);
    const Example example{.prompt = chat->written.prompt, .chat = chat};
    std::vector<int32_t> ids = prompt_ids(tokenizer, example);
    const std::string mask = row["mask"];
    const auto whole = row["ids"].get<std::vector<int32_t>>();
    const size_t last = mask.rfind('1') + 1;
    EXPECT_EQ(ids.size(), mask.rfind('0', last - 1) + 1) << name << row["messages"];
    const std::vector<int32_t> completion = completion_ids(tokenizer, example);
    ids.insert(ids.end(), completion.begin(), completion.end());
    EXPECT_EQ(ids, std::vector<int32_t>(whole.begin(), whole.begin() + last)) << name;
  });
}

// Prevents: half a character being learned where several tokens make it up.
TEST(ChatMasks, CountsEveryTokenOfACharacter) {
  const Tokenizer tokenizer = Tokenizer::load(kFolder / "ours_bytes");
  const std::string text = "a🚀b";
  const jinja::Span rocket{1, 5};
  const MaskedTokens tokens = mask_spans(tokenizer, text, std::span(&rocket, 1));
  ASSERT_EQ(tokens.ids.size(), 6U);
  EXPECT_EQ(digits(tokens.learned), "011110");
}

}  // namespace
}  // namespace alambic::chat_masks_test
