#pragma once

#include "alambic/options/options.h"

namespace alambic {

/// Options of the scores of whole completions: a checkable reward or a judge.
struct RewardOptions {
  std::string reward, judge, rubric, judge_key_env, judge_key_file, judge_price;
  std::vector<std::string> judge_scores;
  bool judge_pairs = false;
  double seconds = 10, judge_budget = 0;
  int64_t judge_samples = 1, judge_budget_tokens = 0;

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
    v.text("judge", judge,
           "model folder that scores completions by a rubric instead; or the address of a server "
           "of chats, https://host[:port][/v1][#model] (docs/remote.md)")
        .model();
    v.text("judge-key-env", judge_key_env,
           "environment variable with the key of such a server; none: ALAMBIC_KEY_ and its name")
        .only_with("judge");
    v.text("judge-key-file", judge_key_file, "file with that key, which others may not read")
        .path()
        .only_with("judge")
        .not_with("judge-key-env");
    v.integer("judge-samples", judge_samples,
              "verdicts that are drawn, and averaged, of a server that gives no log-probabilities; "
              "1: its most likely one",
              {.min = 1, .max = 64})
        .only_with("judge");
    v.text("judge-price", judge_price, "as --teacher-price, of a judge behind an address")
        .only_with("judge");
    v.number("judge-budget", judge_budget, "as --teacher-budget, by --judge-price", {.min = 0})
        .only_with("judge-price");
    v.integer("judge-budget-tokens", judge_budget_tokens, "as --teacher-budget-tokens", {.min = 0})
        .only_with("judge");
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
