// The flow on one page (docs/flow.md). No room includes this file.
//
//   std::vector<Answer> answers = generate(student, requests, engine);        rollout/engine.h
//   Rollouts rollouts = to_rollouts(requests, answers, step, device);         flow/rollouts.h
//   TeacherOutput teacher output = teacher.grade(rollouts); teacher/local.h Tensor hidden_ND =
//   student.hidden(Pass(rollouts.sequences));              model/model.h Tensor student_MD =
//   hidden_ND.index_select(0, rollouts.loss_positions_M()); Loss loss = divergence_loss({},
//   student_MD, student.head(),   objective/divergence.h
//                               teacher output, graded_tokens_of_the_step);
//   loss.value.backward();
//   optimizer.step(learning_rate, clip);                                      train/optimizer.h
#pragma once

#include "alambic/eval/agreement.h"
#include "alambic/eval/perplexity.h"
#include "alambic/eval/task.h"
#include "alambic/flow/loss.h"
#include "alambic/flow/rollouts.h"
#include "alambic/flow/teacher_output.h"
#include "alambic/model/load.h"
#include "alambic/objective/cross_entropy.h"
#include "alambic/objective/divergence.h"
#include "alambic/rollout/engine.h"
#include "alambic/teacher/local.h"
#include "alambic/text/tokenizer/tokenizer.h"
#include "alambic/train/distillation.h"
#include "alambic/train/next_token.h"
#include "alambic/train/trainer.h"
