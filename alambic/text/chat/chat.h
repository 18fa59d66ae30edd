// Conversations of a data set, and what a chat template makes of them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "alambic/text/chat/chat_template.h"

namespace alambic {

class JsonView;

/// Purpose for which a data set's conversations are read.
enum class ChatUse {
  prompts,              ///< completing them: everything before the completion
  completions,          ///< the last completion is learned
  all_completions,      ///< every completion is learned, in a text of its own where one does not do
  whole_conversations,  ///< the same, refused where one text does not do
};

/// A text with the places in it that are learned.
struct LearnedText {
  std::string text;
  std::vector<jinja::Span> learned;  ///< bytes of `text` that the assistant wrote
  bool marked = false;  ///< the template itself says what is learned ({% generation %} blocks)
  /// Where turns begin whose thinking the template opens in the request and does not write again
  /// (turns.h): the tokens of the request end there, as when it is asked.
  std::vector<size_t> reopened;
  int64_t without_thinking = 0;  ///< those of them that have none
};

/// A conversation as its template writes it; what is made depends on the use.
struct ChatText {
  std::string prompt;      ///< up to the completion, the beginning of the assistant's turn included
  std::string completion;  ///< the rest of that turn, its end included
  /// The conversation, where all completions are learned. Several where the template writes earlier
  /// completions otherwise than they were generated.
  std::vector<LearnedText> texts;
};

struct Chat {
  jinja::Values messages;  ///< dicts with "role"
  size_t completion = 0;   ///< index of the message that is the completion; messages.size(): none
  size_t first = 0;        ///< messages before this one are given, never learned
  jinja::Value tools;      ///< JSON schemas, or None
  jinja::Dict more;        ///< further variables of the template
  ChatText written;

  bool has_completion() const { return completion < messages.size(); }
};

/// The conversation of a row: `messages`, or `prompt` as a list of messages with `completion`, a
/// list or the assistant's text. `tools` may be a list or JSON in a string; `chat_template_kwargs`
/// are further variables. A conversation that ends with the assistant's message has that as its
/// completion.
///
/// Errors name field and value: no messages, a message without role or content, a role that no
/// template knows, a prompt that ends with the assistant, a completion that does not.
Chat read_chat(const JsonView& row);

/// A list of messages that is a prompt.
Chat read_chat_prompt(const JsonView& messages);

/// The messages before the completion, for people to read.
nlohmann::ordered_json prompt_messages(const Chat& chat);

/// The text of a message's content; of a list of parts, that of its texts.
std::string plain_text(const jinja::Value& message);

bool is_assistant(const jinja::Value& message);

/// Lets the template write the conversation. What is learned are, of messages that are
/// (learned_messages.h), the {% generation %} blocks; where the template has none, a completion is
/// what it writes beyond the text that asks for one (add_generation_prompt), in the conversation up
/// to it (turns.h). An error where that does not begin with the request, where there is no
/// completion to learn, and what the template raises.
ChatText write_chat(const ChatTemplate& chat_template, const Chat& chat, ChatUse use);

/// The places around the first difference of two texts, in quotes, as errors show them.
std::pair<std::string, std::string> first_difference(const std::string& a, const std::string& b);

}  // namespace alambic
