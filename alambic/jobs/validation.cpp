#include "alambic/jobs/validation.h"

#include "alambic/eval/task.h"
#include "alambic/rollout/requests.h"
#include "alambic/train/joint_writing.h"

namespace alambic {

size_t ValidationWriting::add(std::vector<Request> requests, const EngineOptions& engine) {
  lists_.push_back({.requests = std::move(requests), .engine = engine});
  return lists_.size() - 1;
}

std::vector<Completion> ValidationWriting::take(size_t list) {
  List& asked = lists_[list];
  if (asked.written) return *std::exchange(asked.written, std::nullopt);
  return generate(student_, asked.requests, asked.engine);
}

void ValidationWriting::write() {
  if (lists_.empty()) return;
  const WritingStudent writer(student_, layers_, lists_.front().engine.ranks);
  for (List& list : lists_) {
    list.written = write_on_ranks(*world_, *writer, list.requests, 1, list.engine);
  }
}

std::function<void()> write_together(const std::shared_ptr<ValidationWriting>& writing,
                                     const EngineOptions& engine) {
  if (!engine.ranks) return {};
  return [writing] { writing->write(); };
}

std::function<Metrics()> exact_match(const Pretrained& student, const std::vector<Example>& rows,
                                     EngineOptions engine,
                                     const std::shared_ptr<ValidationWriting>& writing) {
  if (rows.front().answers.empty()) return [] { return Metrics(); };
  engine.sampling = {.temperature = 0, .max_new_tokens = engine.sampling.max_new_tokens};
  const size_t list = writing->add(requests_of(student.tokenizer, rows), engine);
  return [&student, rows, writing, list]() -> Metrics {
    const TaskResult result =
        task_result(student.tokenizer, rows, writing->requests(list), writing->take(list));
    return {{"valid_exact_match", result.exact_match.value_or(0)}};
  };
}

}  // namespace alambic
