#include "alambic/teacher/reward.h"

#include <limits>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/base/regex.h"
#include "alambic/base/trimmed.h"
#include "alambic/teacher/reward_command.h"
#include "alambic/text/final_answer.h"

namespace alambic {

Score dropped_score(std::string reason) {
  return {.value = std::numeric_limits<float>::quiet_NaN(), .dropped = std::move(reason)};
}

namespace {

// Rewards that look at one completion at a time.
struct EachReward : Reward {
  virtual Score score_one(const Attempt& attempt) const = 0;
  std::vector<Score> score(const std::vector<Attempt>& attempts) const override {
    std::vector<Score> scores;
    for (const Attempt& attempt : attempts) scores.push_back(score_one(attempt));
    return scores;
  }
};

struct ComparisonReward : EachReward {
  using Compare = bool (*)(std::string_view completion, std::string_view expected);
  Compare compare;

  explicit ComparisonReward(Compare compare) : compare(compare) {}
  bool needs_expected() const override { return true; }
  Score score_one(const Attempt& attempt) const override {
    if (!attempt.expected) return dropped_score("the row has no \"answer\"");
    bool right = compare(attempt.completion, *attempt.expected);
    for (const std::string& other : attempt.also_right) {
      right = right || compare(attempt.completion, other);
    }
    return {.value = right ? 1.0f : 0.0f};
  }
};

struct RegexReward : EachReward {
  Regex pattern;

  explicit RegexReward(const std::string& text) : pattern(text) {}
  Score score_one(const Attempt& attempt) const override {
    try {
      return {.value = pattern.find_all(attempt.completion).empty() ? 0.0f : 1.0f};
    } catch (const Error& error) {  // backtracks without end on this completion
      return dropped_score(error.what());
    }
  }
};

bool is_exact(std::string_view completion, std::string_view expected) {
  return trimmed(completion) == trimmed(expected);
}

}  // namespace

std::unique_ptr<Reward> make_reward(const std::string& name, const RewardLimits& limits) {
  if (name == "exact_match") return std::make_unique<ComparisonReward>(is_exact);
  if (name == "number") {
    constexpr ComparisonReward::Compare compare = answers_correctly;
    return std::make_unique<ComparisonReward>(compare);
  }
  const size_t colon = name.find(':');
  const std::string kind = name.substr(0, colon);
  const std::string rest = colon == name.npos ? "" : name.substr(colon + 1);
  if (kind != "regex" && kind != "command") {
    const std::string nearest = nearest_name(kind, {"exact_match", "number", "regex", "command"});
    throw input_error(
        "unknown reward '{}'; there are exact_match, number, regex:PATTERN and command:COMMAND",
        name)
        .with_hint(nearest.empty() ? "" : "did you mean " + nearest + "?");
  }
  if (rest.empty()) throw input_error("the reward '{}' lacks its {}", name, kind);
  if (kind == "regex") return std::make_unique<RegexReward>(rest);
  return std::make_unique<CommandReward>(rest, limits.seconds);
}

}  // namespace alambic
