#include "alambic/text/chat/chat_source.h"

#include <algorithm>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/names.h"
#include "alambic/text/chat/chat_tokens.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {

struct ChatSource::State {
  std::string model, option;
  TokenRoles roles;
  std::optional<ChatTemplate> loaded;

  // The template that --chat-template names: one of the model's, or a file.
  ChatTemplate given() const {
    const TemplateSources sources = template_sources_of(model);
    if (sources.by_name.contains(option)) {
      return ChatTemplate::from_sources(sources, option, roles);
    }
    if (!path_exists(option)) {
      throw input_error("--chat-template {}: there is no such file, and {}", option,
                        sources.by_name.empty()
                            ? model + " has no chat template"
                            : fmt::format("{} has no template of this name; it has: {}", model,
                                          join(sources.names())));
    }
    TemplateSources file{.place = option};
    file.by_name["default"] = {option, read_file(option, 4 << 20)};
    return ChatTemplate::from_sources(file, "", roles);
  }
};

ChatSource::ChatSource(const std::string& model, const Tokenizer& tokenizer,
                       const ChatOptions& options)
    : state_(new State{.model = model, .option = options.file, .roles = tokenizer.roles()}) {}

const ChatTemplate& ChatSource::chat_template() const {
  State& state = *state_;
  if (state.loaded) return *state.loaded;
  if (state.option.empty()) {
    state.loaded = find_chat_template(state.model);
  } else {
    state.loaded = state.given();
  }
  if (state.loaded) return *state.loaded;
  throw input_error(
      "a conversation needs a chat template, but {} has none: neither chat_template.jinja nor "
      "\"chat_template\" in tokenizer_config.json",
      state.model)
      .with_hint("give one with --chat-template FILE");
}

ChatReader ChatSource::reader(ChatUse use) const {
  return {
      .chat_template = [source = *this]() -> const ChatTemplate& { return source.chat_template(); },
      .use = use};
}

bool ChatSource::used() const { return state_->loaded.has_value(); }

void ChatSource::check_effect(const std::string& file) const {
  if (state_->option.empty() || used()) return;
  throw input_error("--chat-template has no effect: {} holds no conversations", file)
      .with_hint("rows of conversations have \"messages\"");
}

void ChatSource::add_end_of_turn(const Tokenizer& tokenizer,
                                 std::vector<int32_t>& stop_tokens) const {
  if (!used()) return;
  const auto end = end_of_turn(chat_template(), tokenizer);
  if (end && std::ranges::count(stop_tokens, *end) == 0) stop_tokens.push_back(*end);
}

void ChatSource::save_to(const fs::path& folder) const {
  if (state_->option.empty()) return;
  write_file(folder / "chat_template.jinja", chat_template().source());
  remove_path(folder / template_folder);
}

std::optional<int32_t> end_of_turn(const ChatTemplate& chat_template, const Tokenizer& tokenizer) {
  auto chat = std::make_shared<Chat>(user_chat("", "Hello"));
  chat->messages.push_back(chat_message("assistant", "Hello"));
  try {
    chat->written = write_chat(chat_template, *chat, ChatUse::completions);
  } catch (const Error&) {
    return std::nullopt;  // the template does not say
  }
  const std::string prompt = chat->written.prompt;
  const auto ids = completion_ids(tokenizer, {.prompt = prompt, .chat = std::move(chat)});
  if (ids.empty() || !tokenizer.is_special(ids.back())) return std::nullopt;
  return ids.back();
}

jinja::Value chat_message(const std::string& role, const std::string& content) {
  jinja::Dict fields;
  fields.set(jinja::Value("role"), jinja::Value(role));
  fields.set(jinja::Value("content"), jinja::Value(content));
  return jinja::make_dict(std::move(fields));
}

Chat user_chat(const std::string& system, const std::string& user) {
  Chat chat;
  if (!system.empty()) chat.messages.push_back(chat_message("system", system));
  chat.messages.push_back(chat_message("user", user));
  chat.first = chat.completion = chat.messages.size();
  return chat;
}

}  // namespace alambic
