#include "alambic/text/chat/chat.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "alambic/base/names.h"
#include "alambic/text/chat/learned_messages.h"
#include "alambic/text/chat/turns.h"
#include "alambic/text/jinja/json_value.h"

namespace alambic {
namespace {

using jinja::Dict;
using jinja::Value;

const std::vector<std::string> roles = {"system", "developer", "user",     "assistant",
                                        "tool",   "function",  "ipython",  "environment",
                                        "model",  "context",   "documents"};

std::string role_of(const Value& message) { return *message.dict()->find("role")->string(); }

Value read_message(const JsonView& json) {
  const JsonView role = json.at("role");
  const std::string name(role.string());
  if (std::ranges::find(roles, name) == roles.end()) {
    const std::string nearest = nearest_name(name, roles);
    throw role.wrong("expected a role such as system, user, assistant or tool")
        .with_hint(nearest.empty() ? "" : fmt::format("did you mean \"{}\"?", nearest));
  }
  const auto content = json.find("content");
  if (content && !content->is_string() && !content->is_array() && name != "tool") {
    throw content->wrong("expected a text or a list of parts");
  }
  if (!content && (name == "system" || name == "user")) {
    const bool is_null = !json.element()["content"].error();
    throw json.wrong(is_null ? "\"content\" is null" : "no field \"content\"");
  }
  return jinja::value_of(json);
}

void add_messages(const JsonView& json, jinja::Values& messages) {
  const std::vector<JsonView> items = json.items();
  if (items.empty()) throw json.wrong("there are no messages");
  for (const JsonView& item : items) messages.push_back(read_message(item));
}

void add_completion(const JsonView& json, jinja::Values& messages) {
  if (json.is_string()) {
    Dict message;
    message.set(Value("role"), Value("assistant"));
    message.set(Value("content"), jinja::value_of(json));
    messages.push_back(jinja::make_dict(std::move(message)));
    return;
  }
  add_messages(json, messages);
  if (!is_assistant(messages.back())) {
    throw json.items().back().wrong("the completion must end with a message of the assistant");
  }
}

// A list of schemas, or the same as JSON in a string.
Value read_tools(const JsonView& json) {
  if (!json.is_string()) {
    for (const JsonView& tool : json.items()) tool.object();
    return jinja::value_of(json);
  }
  const std::string name = fmt::format("{}: field \"{}\"", json.file(), json.path());
  const JsonFile file = JsonFile::parse(name, json.string());
  file.root().items();
  return jinja::value_of(file.root());
}

// Leaves the blocks of messages that are not learned out.
void drop_unlearned(const Chat& chat, std::vector<jinja::Span>& blocks) {
  std::vector<bool> learned;
  for (const Value& message : chat.messages) {
    const bool counts = is_learned(message);  // which also refuses what another's message says
    if (is_assistant(message)) learned.push_back(counts);
  }
  if (std::ranges::find(learned, false) == learned.end()) return;
  if (blocks.size() != learned.size()) {
    throw input_error(
        "a message of the assistant is not to be learned, but the template marks {} parts of {} "
        "messages with {{% generation %}}",
        blocks.size(), learned.size())
        .with_hint("a template that marks each message of the assistant once, or none");
  }
  std::vector<jinja::Span> kept;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (learned[i]) kept.push_back(blocks[i]);
  }
  blocks = std::move(kept);
}

LearnedText marked_text(const ChatTemplate& chat_template, const Chat& chat) {
  jinja::Rendered rendered =
      render_messages(chat_template, chat, chat.messages.size(), /*open=*/false);
  drop_unlearned(chat, rendered.generated);
  LearnedText marked{.text = std::move(rendered.text), .marked = true};
  size_t given = 0;
  if (chat.first > 0) {
    given = expect_beginning(render_messages(chat_template, chat, chat.first, true).text,
                             marked.text, chat.first, "the prompt as");
  }
  for (const jinja::Span& span : rendered.generated) {
    if (span.begin >= given && span.begin < span.end) marked.learned.push_back(span);
  }
  return marked;
}

// Shows where a template writes a completion otherwise than it was generated.
void expect_one_text(const ChatTemplate& chat_template, const Chat& chat,
                     const std::vector<LearnedText>& texts) {
  const auto is_written = [](const LearnedText& text) { return text.reopened.empty(); };
  if (texts.size() <= 1 && std::ranges::all_of(texts, is_written)) return;
  const std::string whole = render_messages(chat_template, chat, chat.messages.size(), false).text;
  for (size_t i = chat.first; i < chat.messages.size(); ++i) {
    if (!is_learned(chat.messages[i])) continue;
    expect_beginning(render_messages(chat_template, chat, i, true).text, whole, i,
                     "the request for it as");
    expect_beginning(render_messages(chat_template, chat, i + 1, false).text, whole, i,
                     "the conversation up to it as");
  }
}

}  // namespace

bool is_assistant(const Value& message) { return role_of(message) == "assistant"; }

Chat read_chat_prompt(const JsonView& messages) {
  Chat chat;
  add_messages(messages, chat.messages);
  if (is_assistant(chat.messages.back())) {
    throw messages.items().back().wrong("a prompt must not end with a message of the assistant");
  }
  chat.first = chat.completion = chat.messages.size();
  return chat;
}

Chat read_chat(const JsonView& row) {
  Chat chat;
  if (const auto messages = row.find("messages")) {
    add_messages(*messages, chat.messages);
    const size_t last = chat.messages.size() - 1;
    chat.completion = is_assistant(chat.messages[last]) ? last : last + 1;
  } else {
    chat = read_chat_prompt(row.at("prompt"));
    if (const auto completion = row.find("completion")) add_completion(*completion, chat.messages);
    chat.completion = std::max(chat.first, chat.messages.size() - 1);
  }
  if (const auto tools = row.find("tools")) chat.tools = read_tools(*tools);
  if (const auto more = row.find("chat_template_kwargs")) {
    more->object();
    chat.more = *jinja::value_of(*more).dict();
  }
  return chat;
}

nlohmann::ordered_json prompt_messages(const Chat& chat) {
  auto messages = nlohmann::ordered_json::array();
  for (size_t i = 0; i < chat.completion; ++i) messages.push_back(jinja::json_of(chat.messages[i]));
  return messages;
}

std::string plain_text(const Value& message) {
  const Value* content = message.dict()->find("content");
  if (content == nullptr) return "";
  if (content->string() != nullptr) return *content->string();
  std::string text;
  if (content->list() == nullptr) return text;
  for (const Value& part : content->list()->items) {
    const Value* piece = part.dict() == nullptr ? nullptr : part.dict()->find("text");
    if (piece != nullptr && piece->string() != nullptr) text += *piece->string();
  }
  return text;
}

ChatText write_chat(const ChatTemplate& chat_template, const Chat& chat, ChatUse use) {
  ChatText written;
  if (use == ChatUse::all_completions || use == ChatUse::whole_conversations) {
    if (chat_template.marks_completions(chat.tools)) {
      written.texts.push_back(marked_text(chat_template, chat));
    } else {
      written.texts = texts_of_turns(chat_template, chat);
      if (use == ChatUse::whole_conversations) expect_one_text(chat_template, chat, written.texts);
    }
    if (written.texts.empty() || written.texts.front().learned.empty()) {
      throw input_error("no message of the assistant is to be learned");
    }
    return written;
  }
  if (chat.completion == 0) {
    throw input_error("the conversation begins with the assistant's message: there is no prompt");
  }
  if (use == ChatUse::prompts) {
    written.prompt = render_messages(chat_template, chat, chat.completion, true).text;
    return written;
  }
  if (!chat.has_completion()) {
    throw input_error("the conversation ends with a message of role \"{}\": no completion to learn",
                      role_of(chat.messages.back()));
  }
  if (!is_learned(chat.messages[chat.completion])) {
    throw input_error(
        "the last message of the assistant is the completion, but it says that it is "
        "not to be learned")
        .with_hint("leave the row out, or the message: then the model's own completion counts");
  }
  const Turn turn = turn_of(chat_template, chat, chat.completion);
  written.prompt = turn.text.substr(0, turn.begin);
  written.completion = turn.text.substr(turn.begin);
  return written;
}

}  // namespace alambic
