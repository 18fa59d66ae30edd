#pragma once

#include "alambic/options/options.h"

namespace alambic {

/// Options of the scores of whole completions: a checkable reward or a judge.
struct RewardOptions {
  std::string reward, judge, rubric;
  std::vector<std::string> judge_scores;
  bool judge_pairs = false;
  double seconds = 10;

  bool any() const { return !reward.empty() || !judge.empty(); }
  void visit(OptionVisitor& v) {
    v.group("Scores of whole completions");
    v.text("reward", reward,
           "exact_match or number (after ####) against the row's `answer`; regex:PATTERN; "
           "command:COMMAND, which reads the completion on standard input and prints a number")
        .not_with("judge");
    v.number("reward-seconds", seconds, "most time of a reward command for one completion",
             {.min = 1e-3})
        .only_with("reward");
    v.text("judge", judge, "model folder that scores completions by a rubric instead").model();
    v.text(
         "judge-rubric", rubric,
         "text file with {prompt}, {answer} and perhaps {reference} (the row's `answer`), or with "
         "{first} and {second}; ends where the score follows")
        .path()
        .only_with("judge");
    v.list("judge-score", judge_scores,
           "a score that the judge may give, a number and one token; default 1 to 5")
        .only_with("judge")
        .only_with("judge-rubric", {.hint = "the default rubric explains its own scores, 1 to 5"});
    v.flag("judge-pairs", judge_pairs,
           "compare with the row's `answer`, in both orders, in place of a grade")
        .only_with("judge");
  }
};

}  // namespace alambic
