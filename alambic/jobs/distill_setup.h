// The options of a distillation in the form that its task takes.
#pragma once

#include "alambic/jobs/distill_options.h"
#include "alambic/jobs/teacher_pool.h"
#include "alambic/model/pretrained.h"
#include "alambic/text/chat/chat_source.h"
#include "alambic/text/dataset.h"
#include "alambic/train/distillation.h"

namespace alambic {

/// The teachers that are asked for grades: none where they only write completions and nobody looks
/// at the student beside them.
TeacherOptions grading_teachers(const DistillOptions& options);

/// How completions are drawn.
EngineOptions engine_of(const DistillOptions& options, const Pretrained& student);

/// `pool` must outlive the task where its teacher is mixed into the completions. Input errors:
/// those of the objective's options; a mixed-in teacher that reads other prompts than the student.
DistillationSettings distillation_settings(const DistillOptions& options, const Pretrained& student,
                                           const TeacherPool& pool,
                                           const std::vector<Example>& rows);

/// Who scores the completions to `rows`, and the student as it was before the run, where the
/// objective asks for them. Input errors: a row without the `answer` that the reward compares with,
/// and those of load_reward.
AuxiliaryModels load_auxiliary_models(const DistillOptions& options, const Pretrained& student,
                                      const std::vector<Example>& rows, const LoadOptions& load);

/// The rows of --data: with what --lmbda and --completions-by need of them.
std::vector<Example> read_rows(const DistillOptions& options, const ChatSource& chats);

}  // namespace alambic
