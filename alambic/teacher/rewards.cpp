#include "alambic/teacher/rewards.h"

#include "alambic/base/error.h"
#include "alambic/model/pretrained.h"
#include "alambic/teacher/judge.h"

namespace alambic {
namespace {

Rubric rubric_of(const RewardOptions& options) {
  if (!options.rubric.empty()) {
    const Rubric rubric = read_rubric(options.rubric, options.judge_scores);
    if (options.judge_pairs && !rubric.compares()) {
      throw input_error("--judge-pairs needs a rubric with {{first}} and {{second}}; {} has none",
                        options.rubric);
    }
    return rubric;
  }
  if (!options.judge_scores.empty()) {
    throw input_error("--judge-score has no effect without --judge-rubric")
        .with_hint("the default rubric explains its own scores, 1 to 5");
  }
  return options.judge_pairs ? default_pair_rubric() : default_rubric();
}

}  // namespace

std::unique_ptr<Reward> load_reward(const RewardOptions& options, const LoadOptions& load) {
  if (options.reward.empty() == options.judge.empty()) {
    throw input_error("expected one of --reward and --judge, found {}",
                      options.reward.empty() ? "neither" : "both");
  }
  if (options.judge.empty()) {
    if (options.describes_judge()) {
      throw input_error(
          "--judge-rubric, --judge-score and --judge-pairs have no effect without --judge");
    }
    return make_reward(options.reward, {.seconds = options.seconds});
  }
  Pretrained judge = from_pretrained(options.judge, load);
  return std::make_unique<Judge>(std::move(judge.model),
                                 std::make_shared<Tokenizer>(std::move(judge.tokenizer)),
                                 rubric_of(options));
}

}  // namespace alambic
