// The options of a distillation in the form that its lesson takes.
#pragma once

#include "alambic/jobs/distill_options.h"
#include "alambic/jobs/teacher_pool.h"
#include "alambic/model/pretrained.h"
#include "alambic/text/chat/chat_source.h"
#include "alambic/text/dataset.h"
#include "alambic/train/distillation.h"

namespace alambic {

/// The teachers that are asked for grades: none where they only write answers and nobody looks at
/// the student beside them.
TeacherOptions grading_teachers(const DistillOptions& options);

/// How answers are drawn.
EngineOptions engine_of(const DistillOptions& options, const LoadedModel& student);

/// `faculty` must outlive the lesson where its teacher is mixed into the answers. Input errors:
/// those of the objective's options; a mixed-in teacher that reads other prompts than the student.
DistillationOptions lesson_options(const DistillOptions& options, const LoadedModel& student,
                                   const Faculty& faculty, const std::vector<Example>& rows);

/// Who scores the answers to `rows`, and the student as it was before the run, where the objective
/// asks for them. Input errors: a row without the `answer` that the reward compares with, and those
/// of load_reward.
Onlookers load_onlookers(const DistillOptions& options, const LoadedModel& student,
                         const std::vector<Example>& rows, const LoadOptions& load);

/// The rows of --data: with what --lmbda and --answers-by need of them.
std::vector<Example> read_rows(const DistillOptions& options, const ChatSource& chats);

}  // namespace alambic
