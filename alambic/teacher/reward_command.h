#pragma once

#include "alambic/teacher/reward.h"

namespace alambic {

/// A shell command that reads the completion on standard input and prints one finite number. It
/// finds the prompt in $ALAMBIC_PROMPT and the row's answer, if any, in $ALAMBIC_EXPECTED. Several
/// run side by side. It has no network where the system lets us take it away (a warning says when
/// not), and a time limit.
///
/// A command that fails, hangs, prints something else or nothing costs its completion alone: the
/// score is dropped, with the reason.
class CommandReward : public Reward {
 public:
  CommandReward(std::string command, double seconds);
  std::vector<Score> score(const std::vector<Attempt>& attempts) const override;

 private:
  Score run(const Attempt& attempt) const;
  std::string command_;
  double seconds_;
};

}  // namespace alambic
