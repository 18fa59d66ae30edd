// The chat template by which a command writes conversations.
#pragma once

#include <memory>
#include <string>

#include "alambic/text/chat/chat_options.h"
#include "alambic/text/dataset.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

/// Read when the first conversation comes; copies share it.
class ChatSource {
 public:
  /// `model` is a folder or GGUF file, `tokenizer` its tokenizer; the options' file, or name of one
  /// of the model's templates, wins over the one that the model would take.
  ChatSource(const std::string& model, const Tokenizer& tokenizer, const ChatOptions& options);

  ChatReader reader(ChatUse use) const;
  /// An input error where neither the model nor the options have one.
  const ChatTemplate& chat_template() const;
  /// Whether it was asked for.
  bool used() const;

  /// An error where --chat-template was given but `file`, whose rows were read, has no
  /// conversations.
  void check_effect(const std::string& file) const;

  /// Adds a stop token of a model that completes conversations: where these were read, the special
  /// token by which the template ends a completion.
  void add_end_of_turn(const Tokenizer& tokenizer, std::vector<int32_t>& stop_tokens) const;

  /// Writes --chat-template into the folder of a model that was trained with it, as
  /// chat_template.jinja, its only one.
  void save_to(const fs::path& folder) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// The special token by which a template ends a completion.
std::optional<int32_t> end_of_turn(const ChatTemplate& chat_template, const Tokenizer& tokenizer);

jinja::Value chat_message(const std::string& role, const std::string& content);

/// A user's message, after one of the system where `system` is not empty.
Chat user_chat(const std::string& system, const std::string& user);

}  // namespace alambic
