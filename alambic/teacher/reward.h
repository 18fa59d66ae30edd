// Whole completions scored by something that can be checked: a known answer, a pattern, a program.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace alambic {

/// A completion to score.
struct Attempt {
  std::string prompt, completion;
  std::optional<std::string> expected = {};  ///< the row's `answer`; of several the first
  std::vector<std::string> also_right = {};  ///< the others

  void expect(const std::vector<std::string>& answers) {
    if (answers.empty()) return;
    expected = answers.front();
    also_right.assign(answers.begin() + 1, answers.end());
  }
};

struct Score {
  float value = 0;      ///< NaN when dropped
  std::string dropped;  ///< why there is no score; empty when there is one
};

/// A score that is missing, and why.
Score dropped_score(std::string reason);

/// Scores do not depend on one another or on their order.
struct Reward {
  virtual ~Reward() = default;
  virtual std::vector<Score> score(const std::vector<Attempt>& attempts) const = 0;
  /// Whether rows must have an `answer`.
  virtual bool needs_expected() const { return false; }
};

struct RewardLimits {
  double seconds = 10;  ///< time limit of a command
};

/// Reward by its name on the command line:
///   exact_match      1 when the completion is an expected one, spaces around both left out
///   number           1 when what stands after the last #### is an expected answer
///   regex:PATTERN    1 when the pattern is found in the completion (PCRE2, Unicode)
///   command:COMMAND  the number that a shell command prints for the completion on its standard
///   input
///                    (teacher/reward_command.h)
/// Input errors: an unknown name with the nearest known one, a pattern that does not compile.
std::unique_ptr<Reward> make_reward(const std::string& name, const RewardLimits& limits = {});

}  // namespace alambic
