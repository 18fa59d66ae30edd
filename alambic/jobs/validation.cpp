#include "alambic/jobs/validation.h"

#include "alambic/eval/task.h"

namespace alambic {

Metrics validate_exact_match(const Pretrained& student, const std::vector<Example>& rows,
                             int64_t samples, EngineOptions engine) {
  if (rows.front().answers.empty()) return {};
  const auto count = std::min(samples, static_cast<int64_t>(rows.size()));
  engine.sampling = {.temperature = 0, .max_new_tokens = engine.sampling.max_new_tokens};
  const TaskResult result =
      run_task(*student.model, student.tokenizer, {rows.begin(), rows.begin() + count}, engine);
  return {{"valid_exact_match", result.exact_match.value_or(0)}};
}

}  // namespace alambic
