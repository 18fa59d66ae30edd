// The assistant's turns of a conversation as it generated them: each at the end of the conversation
// up to it, behind the text that asks for it. Templates that drop the thinking of earlier turns, or
// open a turn with a <think> that they do not write again, write the whole conversation otherwise.
#pragma once

#include <string>
#include <vector>

#include "alambic/text/chat/chat.h"

namespace alambic {

/// The conversation up to and with one message of the assistant.
struct Turn {
  std::string text;
  size_t begin = 0;  ///< bytes of `text` that ask for it; the rest is what it wrote
  /// The template opens the turn's thinking in the request and does not write it again: what stands
  /// between request and answer was put together here, from the message's thinking.
  bool reopened = false;
  bool thinks =
      true;  ///< false: reopened, but the message has no thinking, so it is closed at once
};

/// The turn of `chat.messages[message]`. An error that shows the difference where the template does
/// not begin the text with the request, nor opens a tag in it that a message's thinking closes.
Turn turn_of(const ChatTemplate& chat_template, const Chat& chat, size_t message);

/// The turns from `chat.first` on that are learned, as texts in order. A turn whose text is how a
/// later one's begins is part of that text: its tokens are there once.
std::vector<LearnedText> texts_of_turns(const ChatTemplate& chat_template, const Chat& chat);

/// The length of the beginning, which the whole must have; the error says `what` it is.
size_t expect_beginning(const std::string& beginning, const std::string& whole, size_t message,
                        const char* what);

/// The first `messages` of the conversation, with the request for a completion where `open`.
jinja::Rendered render_messages(const ChatTemplate& chat_template, const Chat& chat,
                                size_t messages, bool open);

}  // namespace alambic
