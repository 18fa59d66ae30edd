#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "alambic/serve/answer_choice.h"
#include "alambic/serve/grade_job.h"
#include "alambic/serve/text_request.h"
#include "alambic/serve/work_queue.h"

namespace alambic {

/// The answer to /v1/completions or /v1/chat/completions: JSON, or a stream of it.
class TextAnswer : public PendingAnswer {
 public:
  /// Submits the work. ApiErrors: those of the queue, and 413 for more log-probabilities than an
  /// answer in JSON may have.
  TextAnswer(TextRequest request, size_t model_index, const ServedModel& model, WorkQueue& queue,
             const Wake& wake);

  bool streams() const override { return request_.stream; }
  std::optional<HttpAnswer> whole() override;
  bool read(std::string& out) override;
  void cancel() override;

 private:
  bool update();
  void begin_stream(std::string& out);
  void append_chunk(std::string& out, const nlohmann::ordered_json& choice) const;

  TextRequest request_;
  const ServedModel& model_;
  std::vector<AnswerChoice> choices_;
  std::shared_ptr<GradeJob> grade_;  // of the prompts; null: they are not graded
  std::string id_;
  int64_t created_ = 0;
  std::string chunk_;  // what a stream's chunks begin with, up to their choice
  bool begun_ = false, ended_ = false;
};

}  // namespace alambic
