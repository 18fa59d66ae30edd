#include "alambic/text/chat/chat.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "alambic/base/names.h"
#include "alambic/text/jinja/json_value.h"

namespace alambic {
namespace {

using jinja::Dict;
using jinja::Value;

const std::vector<std::string> roles = {"system", "developer", "user",     "assistant",
                                        "tool",   "function",  "ipython",  "environment",
                                        "model",  "context",   "documents"};

std::string role_of(const Value& message) { return *message.dict()->find("role")->string(); }

bool is_assistant(const Value& message) { return role_of(message) == "assistant"; }

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

Conversation conversation(const Chat& chat, size_t messages, bool open) {
  const auto end = chat.messages.begin() + static_cast<std::ptrdiff_t>(messages);
  return {.messages = jinja::make_list({chat.messages.begin(), end}),
          .tools = chat.tools,
          .add_generation_prompt = open,
          .more = chat.more};
}

// Excerpt around the place where two texts part, for an error: "…assistant\n<think>".
std::string excerpt(const std::string& text, size_t at) {
  constexpr size_t before = 24, after = 24;
  size_t begin = at > before ? at - before : 0;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  size_t end = std::min(text.size(), at + after);
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  std::string shown = text.substr(begin, end - begin);
  for (size_t i = 0; (i = shown.find('\n', i)) != shown.npos; i += 2) shown.replace(i, 1, "\\n");
  return fmt::format("\"{}{}\"", begin > 0 ? "…" : "", shown);
}

// The length of the beginning, which the whole must have.
size_t expect_beginning(const std::string& beginning, const std::string& whole, size_t message,
                        const char* what) {
  if (whole.starts_with(beginning)) return beginning.size();
  const auto [expected, found] = first_difference(beginning, whole);
  throw input_error(
      "cannot tell what the assistant writes in message {}: the template writes {} {}, but the "
      "whole conversation {}",
      message + 1, what, expected, found)
      .with_hint(
          "mark what the assistant writes with {% generation %} … {% endgeneration %} in a copy "
          "of the template, and give it as --chat-template FILE");
}

void learn_marked(const ChatTemplate& chat_template, const Chat& chat, ChatText& written) {
  jinja::Rendered rendered = chat_template.render(conversation(chat, chat.messages.size(), false));
  written.text = std::move(rendered.text);
  written.marked = true;
  size_t given = 0;
  if (chat.first > 0) {
    given = expect_beginning(chat_template.render(conversation(chat, chat.first, true)).text,
                             written.text, chat.first, "the prompt as");
  }
  for (const jinja::Span& span : rendered.generated) {
    if (span.begin >= given && span.begin < span.end) written.learned.push_back(span);
  }
}

void learn_differences(const ChatTemplate& chat_template, const Chat& chat, ChatText& written) {
  const auto render = [&](size_t messages, bool open) {
    return chat_template.render(conversation(chat, messages, open)).text;
  };
  written.text = render(chat.messages.size(), false);
  for (size_t i = chat.first; i < chat.messages.size(); ++i) {
    if (!is_assistant(chat.messages[i])) continue;
    const size_t begin =
        expect_beginning(render(i, true), written.text, i, "the request for it as");
    const size_t end = i + 1 == chat.messages.size()
                           ? written.text.size()
                           : expect_beginning(render(i + 1, false), written.text, i,
                                              "the conversation up to it as");
    if (begin < end) written.learned.push_back({begin, end});
  }
}

}  // namespace

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

std::pair<std::string, std::string> first_difference(const std::string& a, const std::string& b) {
  const size_t at = std::ranges::mismatch(a, b).in1 - a.begin();
  return {excerpt(a, at), excerpt(b, at)};
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
  if (use == ChatUse::all_completions) {
    chat_template.marks_completions(chat.tools) ? learn_marked(chat_template, chat, written)
                                      : learn_differences(chat_template, chat, written);
    if (written.learned.empty()) throw input_error("no message of the assistant is to be learned");
    return written;
  }
  if (chat.completion == 0) {
    throw input_error("the conversation begins with the assistant's message: there is no prompt");
  }
  written.prompt = chat_template.render(conversation(chat, chat.completion, true)).text;
  if (use == ChatUse::prompts) return written;
  if (!chat.has_completion()) {
    throw input_error("the conversation ends with a message of role \"{}\": no completion to learn",
                      role_of(chat.messages.back()));
  }
  const std::string whole =
      chat_template.render(conversation(chat, chat.completion + 1, false)).text;
  written.completion = whole.substr(
      expect_beginning(written.prompt, whole, chat.completion, "the request for it as"));
  return written;
}

}  // namespace alambic
