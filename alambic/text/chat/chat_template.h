// The chat template of a model folder: conversations as the text that the model was trained on.
#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <string>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/text/chat/template_sources.h"
#include "alambic/text/jinja/template.h"
#include "alambic/text/tokenizer/token_roles.h"

namespace alambic {

/// Variables that a template is given besides the special tokens.
struct Conversation {
  jinja::Value messages;               ///< list of dicts with "role" and "content"
  jinja::Value tools;                  ///< list of JSON schemas, or None
  bool add_generation_prompt = false;  ///< end with the beginning of a completion
  jinja::Dict more;                    ///< further variables, for example enable_thinking
};

/// The template of a model, or two of them: rows with tools are written by the one called
/// `tool_use`, where a model has it, as in transformers.
class ChatTemplate {
 public:
  /// The templates of a folder (find_template_sources), or with a `name` the one that is called so,
  /// with the special tokens of the folder's files as variables. An input error when the folder has
  /// no template, or none of that name.
  static ChatTemplate load(const fs::path& folder, const std::string& name = "");
  /// Template from its text; errors call it `name`. The special tokens are those of
  /// `tokenizer_config` and `special_tokens_map`, the bytes of such files, where not empty.
  static ChatTemplate parse(std::string name, std::string_view source,
                            std::string_view tokenizer_config = "",
                            std::string_view special_tokens_map = "");
  /// The same from several sources, of which `name` chooses one ("": as transformers), with the
  /// tokens of these roles as variables.
  static ChatTemplate from_sources(const TemplateSources& sources, const std::string& name,
                                   const TokenRoles& roles);
  /// Whether `folder` has a chat template at all.
  static bool exists(const fs::path& folder);

  /// The text, and the bytes of it that {% generation %} blocks made, as apply_chat_template:
  /// fields of messages that are None are left out, and those named thinking, reasoning or
  /// reasoning_content are made known under the names that templates read.
  jinja::Rendered render(const Conversation& conversation) const;
  /// The same with variables given as they are. Where they are not among them, the special tokens
  /// are added, and what transformers always gives: tools and documents (None),
  /// add_generation_prompt (false). strftime_now reads `now`.
  jinja::Rendered render(const jinja::Dict& context,
                         std::optional<std::time_t> now = std::nullopt) const;

  /// Whether the template for rows with these tools marks what the assistant wrote.
  bool marks_completions(const jinja::Value& tools) const { return choose(tools).has_generation(); }
  /// Text of the template for rows without tools.
  const std::string& source() const { return source_; }

 private:
  ChatTemplate() = default;
  const jinja::Template& choose(const jinja::Value& tools) const;

  std::string source_;
  std::optional<jinja::Template> plain_, tool_use_;
  std::optional<Error> plain_error_;  ///< where `plain_` is missing: why
  jinja::Dict special_tokens_;
};

/// The variables of a row with its messages as apply_chat_template hands them to a template.
jinja::Dict as_applied(jinja::Dict context);

}  // namespace alambic
