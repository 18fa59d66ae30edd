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
  return options.judge_pairs ? default_pair_rubric() : default_rubric();
}

}  // namespace

std::unique_ptr<Reward> load_reward(const RewardOptions& options, const LoadOptions& load) {
  if (!options.any()) throw input_error("expected one of --reward and --judge, found neither");
  if (options.judge.empty()) {
    return make_reward(options.reward, {.seconds = options.seconds});
  }
  Pretrained judge = from_pretrained(options.judge, load);
  return std::make_unique<Judge>(std::move(judge.model),
                                 std::make_shared<Tokenizer>(std::move(judge.tokenizer)),
                                 rubric_of(options));
}

}  // namespace alambic
