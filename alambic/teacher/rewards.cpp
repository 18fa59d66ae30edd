#include "alambic/teacher/rewards.h"

#include "alambic/base/error.h"
#include "alambic/model/pretrained.h"
#include "alambic/teacher/chat_judge.h"
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

std::unique_ptr<Reward> load_reward(const RewardOptions& options, const LoadOptions& load,
                                    const fs::path& replies, const std::string& name) {
  if (!options.any()) throw input_error("expected one of --reward and --judge, found neither");
  if (options.judge.empty()) {
    return make_reward(options.reward, {.seconds = options.seconds});
  }
  if (is_endpoint(options.judge)) {
    const Endpoint endpoint = parse_endpoint(options.judge);
    const auto key = key_of(endpoint, options.judge_key_env, options.judge_key_file);
    auto budget = std::make_shared<Budget>(options.judge_budget, options.judge_budget_tokens,
                                           parse_prices("--judge-price", options.judge_price));
    auto writer = std::make_unique<RemoteWriter>(endpoint, key, ClientOptions(), std::move(budget));
    if (!replies.empty()) writer->keep_in(replies, name);
    return std::make_unique<ChatJudge>(std::move(writer), rubric_of(options),
                                       options.judge_samples);
  }
  Pretrained judge = from_pretrained(options.judge, load);
  return std::make_unique<Judge>(std::move(judge.model),
                                 std::make_shared<Tokenizer>(std::move(judge.tokenizer)),
                                 rubric_of(options));
}

}  // namespace alambic
