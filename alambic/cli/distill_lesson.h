// The options of a distillation in the form that its lesson takes.
#pragma once

#include "alambic/cli/chat_source.h"
#include "alambic/cli/distill_options.h"
#include "alambic/cli/model_pair.h"
#include "alambic/train/distillation.h"

namespace alambic {

/// How answers are drawn.
EngineOptions engine_of(const DistillOptions& options, const LoadedModel& student);

/// Input errors: those of the objective's options.
DistillationOptions lesson_options(const DistillOptions& options, const LoadedModel& student);

/// The rows of --data: with what --lmbda needs of a conversation.
std::vector<Example> read_rows(const DistillOptions& options, const ChatSource& chats);

}  // namespace alambic
