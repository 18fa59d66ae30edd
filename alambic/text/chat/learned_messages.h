// Which of the assistant's messages are learned: data of OpenAI's and axolotl's form says it.
#pragma once

#include "alambic/text/chat/chat.h"

namespace alambic {

/// Whether a message is to be learned: the assistant's, but where its `weight` is 0 (OpenAI) or its
/// `train` or `training` is false (axolotl). An input error where these have another value, where
/// another's message says `train`, and where a part of a message is marked (`train_detail`).
bool is_learned(const jinja::Value& message);

}  // namespace alambic
