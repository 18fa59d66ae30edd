#pragma once

#include "alambic/model/model.h"
#include "alambic/serve/grade_job.h"

namespace alambic {

/// What a model says of a job's sequences, in one pass. `head` is the model's, for hidden states in
/// float32 (wide_head), cut to the tokenizer's size. The K most likely tokens of a row are
/// topk_of's (topk.h), to the last bit. An input error where a log-probability is NaN.
Grades grades_of(const Model& model, const Head& head, const GradeJob& job);

}  // namespace alambic
