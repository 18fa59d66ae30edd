// How easily a judge or a reward is fooled.
#pragma once

#include "alambic/jobs/judge_check_options.h"
#include "alambic/teacher/judge_check.h"

namespace alambic::jobs {

/// Scores of the good completions of options.data and of every trick in their places
/// (teacher/judge_check.h). Errors: those of loading the reward and reading the data, and data of
/// which no completion gets a score.
JudgeReport check_judge(const JudgeCheckOptions& options);

}  // namespace alambic::jobs
