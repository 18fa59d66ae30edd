// The flow on one page (docs/flow.md); examples/distill.cpp is the same as a program. No room
// includes this file.
//
// clang-format off
//   std::vector<Completion> completions = generate(student, requests, engine);  rollout/engine.h
//   Rollouts rollouts = to_rollouts(requests, completions, step, device);       flow/rollouts.h
//   TeacherOutput output = teacher.evaluate(rollouts);                          teacher/local.h
//   Tensor hidden_ND = student.hidden(Pass(rollouts.sequences));                model/model.h
//   Tensor student_MD = hidden_ND.index_select(0, rollouts.loss_positions_M());
//   Loss loss = divergence_loss(divergence, student_MD, student.head(),         objective/divergence.h
//                               output, graded_tokens_of_the_step);
//   loss.value.backward();
//   optimizer.step(learning_rate, scale);                                       train/optimizer.h
// clang-format on
#pragma once

#include "alambic/base/error.h"
#include "alambic/eval/agreement.h"
#include "alambic/eval/perplexity.h"
#include "alambic/eval/task.h"
#include "alambic/flow/loss.h"
#include "alambic/flow/rollouts.h"
#include "alambic/flow/teacher_output.h"
#include "alambic/jobs/distill.h"
#include "alambic/jobs/train.h"
#include "alambic/model/load.h"
#include "alambic/model/pretrained.h"
#include "alambic/objective/cross_entropy.h"
#include "alambic/objective/divergence.h"
#include "alambic/rollout/engine.h"
#include "alambic/teacher/local.h"
#include "alambic/text/dataset.h"
#include "alambic/text/tokenizer/tokenizer.h"
#include "alambic/train/data_order.h"
#include "alambic/train/distillation.h"
#include "alambic/train/examples.h"
#include "alambic/train/next_token.h"
#include "alambic/train/optimizer.h"
#include "alambic/train/trainer.h"
