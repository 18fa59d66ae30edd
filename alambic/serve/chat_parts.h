// Contents of messages that come as lists of parts, as OpenAI's clients send them.
#pragma once

#include "alambic/text/chat/chat.h"

namespace alambic {

/// Makes one text of a message's parts, a line each as vLLM does, where the template writes texts
/// and would write a list as Python shows it. Input errors: a part that is an image, audio, video
/// or file; one without text where a text is to be made.
void settle_parts(Chat& chat, const ChatTemplate& chat_template);

}  // namespace alambic
