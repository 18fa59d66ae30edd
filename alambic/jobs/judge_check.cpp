#include "alambic/jobs/judge_check.h"

#include "alambic/base/error.h"
#include "alambic/model/pretrained.h"
#include "alambic/teacher/rewards.h"

namespace alambic {

JudgeReport jobs::check_judge(const JudgeCheckOptions& options) {
  const std::unique_ptr<Reward> reward =
      load_reward(options.reward, prepare_machine(options.machine));
  const Dataset data = Dataset::open(options.data, parse_columns(options.data_form.columns));
  JudgeReport report = alambic::check_judge(
      *reward, read_good_completions(data, options.limit, reward->needs_expected()));
  if (report.completions == 0) {
    throw input_error("none of the {} good completions of {} got a score: {}", report.dropped,
                      options.data, report.last_reason);
  }
  return report;
}

}  // namespace alambic
