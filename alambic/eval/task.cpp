#include "alambic/eval/task.h"

#include "alambic/base/stopwatch.h"
#include "alambic/eval/rouge.h"
#include "alambic/rollout/requests.h"
#include "alambic/text/chat/continuation.h"
#include "alambic/text/final_answer.h"

namespace alambic {

namespace {

void score(const std::vector<Example>& examples, TaskResult& result) {
  double correct = 0, checkable = 0, rouge = 0, references = 0;
  for (size_t i = 0; i < examples.size(); ++i) {
    if (!examples[i].answers.empty()) {
      ++checkable;
      correct += answers_correctly(result.completions[i], examples[i].answers);
    }
    if (examples[i].completion) {
      ++references;
      rouge += rouge_l(result.completions[i], *examples[i].completion);
    }
  }
  if (checkable > 0) result.exact_match = correct / checkable;
  if (references > 0) result.rouge_l = rouge / references;
}

}  // namespace

TaskResult task_result(const Tokenizer& tokenizer, const std::vector<Example>& examples,
                       std::vector<Request> requests, std::vector<Completion> completions) {
  TaskResult result{
      .completions = {}, .requests = std::move(requests), .sampled = std::move(completions)};
  for (size_t i = 0; i < result.sampled.size(); ++i) {
    const Completion& completion = result.sampled[i];
    result.completions.push_back(
        continuation(tokenizer, result.requests[i].prompt, completion.tokens));
    result.tokens += static_cast<int64_t>(completion.tokens.size());
    result.eos_share += completion.ending == Ending::stop_token;
  }
  result.eos_share /= static_cast<double>(result.sampled.size());
  score(examples, result);
  return result;
}

TaskResult run_task(const Model& model, const Tokenizer& tokenizer,
                    const std::vector<Example>& examples, const EngineOptions& options,
                    const std::function<void(const EngineProgress&)>& on_progress) {
  const Stopwatch watch;
  std::vector<Request> requests = requests_of(tokenizer, examples);
  std::vector<Completion> completions = generate(model, requests, options, {}, on_progress);
  const double seconds = watch.seconds();
  TaskResult result = task_result(tokenizer, examples, std::move(requests), std::move(completions));
  result.seconds = seconds;
  return result;
}

}  // namespace alambic
