#include "alambic/serve/chat_parts.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "alambic/base/error.h"
#include "alambic/text/chat/turns.h"

namespace alambic {

namespace {

using jinja::Dict;
using jinja::Value;

const jinja::List* parts_of(const Value& message) {
  const Value* content = message.dict()->find("content");
  return content == nullptr ? nullptr : content->list();
}

std::string text_at(const Value& part, const char* key) {
  const Value* field = part.dict() == nullptr ? nullptr : part.dict()->find(key);
  return field == nullptr || field->string() == nullptr ? "" : *field->string();
}

void refuse_media(const Value& part) {
  constexpr std::array media = {"image", "audio", "video", "file"};
  const std::string type = text_at(part, "type");
  const auto names = [&](const char* kind) { return type.find(kind) != type.npos; };
  if (std::ranges::none_of(media, names)) return;
  throw input_error("a part of type '{:.40}' in a message: this server reads texts", type);
}

Value with_content(const Value& message, const Value& content) {
  Dict made;
  for (const auto& [key, value] : message.dict()->entries()) made.set(key, value);
  made.set("content", content);
  return jinja::make_dict(std::move(made));
}

// Told by what becomes of one part: only a template that goes through them writes its text alone.
bool takes_parts(const ChatTemplate& chat_template) {
  constexpr std::string_view sentence = "One part";
  Dict part, message;
  part.set("type", "text");
  part.set("text", sentence);
  message.set("role", "user");
  message.set("content", jinja::make_list({jinja::make_dict(std::move(part))}));
  Chat chat;
  chat.messages = {jinja::make_dict(std::move(message))};
  try {
    const std::string text = render_messages(chat_template, chat, 1, true).text;
    const size_t at = text.find(sentence);
    const auto is_quote = [](char letter) { return letter == '\'' || letter == '"'; };
    return at != text.npos && (at == 0 || !is_quote(text[at - 1]));
  } catch (const Error&) {
    return false;
  }
}

std::string joined(const jinja::List& parts) {
  std::string text;
  for (size_t i = 0; i < parts.items.size(); ++i) {
    const Value& part = parts.items[i];
    if (part.string() == nullptr &&
        (part.dict() == nullptr || part.dict()->find("text") == nullptr)) {
      throw input_error(
          "a part of type '{:.40}' in a message has no text, and the chat template "
          "writes nothing else",
          text_at(part, "type"));
    }
    if (i > 0) text += "\n";
    text += part.string() != nullptr ? *part.string() : text_at(part, "text");
  }
  return text;
}

}  // namespace

void settle_parts(Chat& chat, const ChatTemplate& chat_template) {
  bool any = false;
  for (const Value& message : chat.messages) {
    const jinja::List* parts = parts_of(message);
    if (parts == nullptr) continue;
    any = true;
    for (const Value& part : parts->items) refuse_media(part);
  }
  if (!any || takes_parts(chat_template)) return;
  for (Value& message : chat.messages) {
    if (const jinja::List* parts = parts_of(message))
      message = with_content(message, joined(*parts));
  }
}

}  // namespace alambic
