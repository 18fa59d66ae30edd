// Fields of other servers that would change the answer and are not supported here.
#pragma once

#include "alambic/serve/request_fields.h"

namespace alambic {

enum class TextForm { completion, chat };

/// An ApiError 400 names the first field that would change what OpenAI, vLLM, SGLang or llama.cpp
/// answer and has no effect here, unless its value says as much as leaving it out. All others are
/// ignored: they change no answer, or no server has them.
void refuse_without_effect(const RequestFields& fields, TextForm form);

}  // namespace alambic
