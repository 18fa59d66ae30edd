// Measures of a model, for `eval`.
#pragma once

#include <functional>
#include <string>

#include "alambic/base/metrics.h"
#include "alambic/jobs/eval_options.h"
#include "alambic/model/pretrained.h"
#include "alambic/rollout/engine.h"
#include "alambic/text/chat/chat_options.h"
#include "alambic/text/dataset.h"
#include "alambic/train/long_rows.h"

namespace alambic {

/// A task: rows with prompts, which the model completes.
struct TaskEvaluation {
  std::string model;  ///< its folder, for the chat template
  Dataset data;       ///< rows with `prompt` or `messages`, `answer` or `completion`
  ChatOptions chat;   ///< form in which conversations are written
  OnLongRow on_long_row = OnLongRow::error;  ///< prompts that fill the context
  int64_t limit = 0;                         ///< rows that are used; 0: all
  EngineOptions engine;          ///< stop tokens and vocabulary aside, which are the model's
  std::string completions_file;  ///< jsonl for the completions; empty: none
  std::string teacher;           ///< model folder; empty: none
  LoadOptions load_teacher;
};

/// Progress of the engine over so many completions; nothing yet at the first call.
using OnEvaluation = std::function<void(const EngineProgress&, int64_t completions)>;

/// Completes the prompts once, writes the completions to their file and gives "examples",
/// "exact_match" and "rouge_l" (where the rows have what they need), "tokens", "eos_share",
/// "seconds"; with a teacher also what it thinks of these completions (eval/agreement.h). Input
/// errors: those of read_examples and from_pretrained, and a teacher of another vocabulary.
Metrics evaluate_task(const Pretrained& loaded, const TaskEvaluation& task,
                      const OnEvaluation& on_progress = {});

/// Metrics "perplexity", "cross_entropy" and "tokens" of all texts of a data set (text_data.h),
/// read in windows of `window` tokens; 0: the model's context, which a window cannot exceed.
Metrics evaluate_text(const Pretrained& loaded, const Dataset& data, int64_t window);

namespace jobs {

/// Measures of options.model on options.data: of its texts, or of the task in its rows. Errors:
/// those of evaluate_task, check_outputs and check_output_file, the last before any work.
Metrics evaluate(const EvalOptions& options, const OnEvaluation& on_progress = {});

}  // namespace jobs

}  // namespace alambic
