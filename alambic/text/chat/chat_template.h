// The chat template of a model folder: conversations as the text that the model was trained on.
#pragma once

#include <ctime>
#include <optional>
#include <string>

#include "alambic/base/files.h"
#include "alambic/text/jinja/template.h"

namespace alambic {

/// Variables that a template is given besides the special tokens.
struct Conversation {
  jinja::Value messages;               ///< list of dicts with "role" and "content"
  jinja::Value tools;                  ///< list of JSON schemas, or None
  bool add_generation_prompt = false;  ///< end with the beginning of a completion
  jinja::Dict more;                    ///< further variables, for example enable_thinking
};

class ChatTemplate {
 public:
  /// Template of chat_template.jinja, chat_template.json or tokenizer_config.json's
  /// "chat_template", in this order; of a list of named templates the one called "default" (or
  /// `name`). The special tokens of tokenizer_config.json and special_tokens_map.json become
  /// variables. An input error when the folder has no template.
  static ChatTemplate load(const fs::path& folder, const std::string& name = "default");
  /// Template from its text; errors call it `name`. The special tokens are those of
  /// `tokenizer_config` and `special_tokens_map`, the bytes of such files, where not empty.
  static ChatTemplate parse(std::string name, std::string_view source,
                            std::string_view tokenizer_config = "",
                            std::string_view special_tokens_map = "");
  /// Whether `folder` has a chat template at all.
  static bool exists(const fs::path& folder);

  /// The text, and the bytes of it that {% generation %} blocks made. Message fields named
  /// thinking, reasoning or reasoning_content are made known under the names templates read.
  jinja::Rendered render(const Conversation& conversation) const;
  /// The same with variables given as they are. Where they are not among them, the special tokens
  /// are added, and what transformers always gives: tools and documents (None),
  /// add_generation_prompt (false). strftime_now reads `now`.
  jinja::Rendered render(const jinja::Dict& context,
                         std::optional<std::time_t> now = std::nullopt) const;

  /// Whether the template marks what the assistant wrote.
  bool marks_completions() const { return template_.has_generation(); }

 private:
  ChatTemplate(jinja::Template chat_template, jinja::Dict special_tokens)
      : template_(std::move(chat_template)), special_tokens_(std::move(special_tokens)) {}
  jinja::Template template_;
  jinja::Dict special_tokens_;
};

}  // namespace alambic
