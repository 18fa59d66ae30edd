#pragma once

#include <memory>
#include <string>

#include "alambic/serve/grade_job.h"
#include "alambic/serve/request_fields.h"
#include "alambic/serve/served_model.h"
#include "alambic/serve/work_queue.h"

namespace alambic {

enum class GradeForm { safetensors, json };

/// The job of a body to /v1/grade: {"model", "sequences": [[ids]], "from": [first graded position
/// of each], "topk": K or "hidden": true, "temperature", "tokenizer": digest}. ApiErrors name the
/// field; 409 for another tokenizer's digest.
std::shared_ptr<GradeJob> read_grade_request(const RequestFields& fields, const ServedModel& model);

/// Tensors of the answer: topk_logp [M, K] and token [M, K], logp [M], offsets [S + 1]; or hidden
/// [M, D] and offsets. Metadata: model, tokenizer, temperature; with hidden states head, its
/// digest.
std::string grades_safetensors(const Grades& grades, const GradeJob& job, const ServedModel& model);
/// The same as JSON, of which the metadata are fields; hidden states are not in it.
std::string grades_json(const Grades& grades, const GradeJob& job, const ServedModel& model);

class GradeAnswer : public PendingAnswer {
 public:
  /// Submits the job.
  GradeAnswer(std::shared_ptr<GradeJob> job, GradeForm form, const ServedModel& model,
              WorkQueue& queue, const Wake& wake);

  bool streams() const override { return false; }
  std::optional<HttpAnswer> whole() override;
  bool read(std::string&) override { return false; }
  void cancel() override { job_->cancel(); }

 private:
  std::shared_ptr<GradeJob> job_;
  GradeForm form_;
  const ServedModel& model_;
};

}  // namespace alambic
