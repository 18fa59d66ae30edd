// A distillation with its models loaded: what its task is made from.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "alambic/jobs/distill_plan.h"
#include "alambic/jobs/teacher_pool.h"
#include "alambic/remote/journal_usage.h"
#include "alambic/train/distillation.h"

namespace alambic {

/// The models and tokenized rows of a plan. Stays where it is made: tasks and validation refer to
/// it and must not outlive it.
class DistillSetup {
 public:
  /// Loads the student and the teachers, tokenizes the rows, and lets teachers write the
  /// completions that --completions-by asks for. Input errors: those of TeacherPool, tokenize and
  /// fill_completions.
  explicit DistillSetup(DistillPlan plan);
  DistillSetup(const DistillSetup&) = delete;
  DistillSetup& operator=(const DistillSetup&) = delete;

  const DistillPlan& plan() const { return plan_; }
  Pretrained& student() { return plan_.student.model; }
  const Pretrained& student() const { return plan_.student.model; }
  const TeacherPool& teachers() const { return *teachers_; }
  const TokenizedRows& examples() const { return examples_; }
  /// What servers' completions of --completions-by have cost, by the teacher's name.
  const std::map<std::string, JournalUsage>& written() const { return written_; }

  /// Task that the trainer runs; to be asked for once, since it takes the examples. Loads the
  /// reward model and the reference where the objective asks for them, and fills the teachers'
  /// cache. Input errors: a row that lacks what its score needs, those of TeacherPool::over.
  std::unique_ptr<TrainingTask> task();

 private:
  int64_t positions() const;
  void fit_rows();
  int64_t longest_text() const;

  DistillPlan plan_;
  std::unique_ptr<TeacherPool> teachers_;
  TokenizedRows examples_;
  std::map<std::string, JournalUsage> written_;
};

}  // namespace alambic
