// Writing completions to a task's prompts and scoring them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "alambic/rollout/engine.h"
#include "alambic/text/dataset.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

struct TaskResult {
  std::vector<std::string> completions;  ///< in the order of the examples
  std::vector<Request> requests;         ///< their prompts, and
  std::vector<Completion> sampled;       ///< the completions, as token ids
  double seconds = 0;
  int64_t tokens = 0;    ///< written
  double eos_share = 0;  ///< share of completions that ended by themselves
  /// Share of the examples with an `answer` that are answered correctly (text/final_answer.h).
  std::optional<double> exact_match;
  /// Mean Rouge-L against the completions of the examples that have one.
  std::optional<double> rouge_l;
};

/// Scores of completions to the examples that are written already; no seconds.
TaskResult task_result(const Tokenizer& tokenizer, const std::vector<Example>& examples,
                       std::vector<Request> requests, std::vector<Completion> completions);

/// Completes every example's prompt by `options` (greedy when its temperature is 0) and scores.
TaskResult run_task(const Model& model, const Tokenizer& tokenizer,
                    const std::vector<Example>& examples, const EngineOptions& options,
                    const std::function<void(const EngineProgress&)>& on_progress = {});

}  // namespace alambic
