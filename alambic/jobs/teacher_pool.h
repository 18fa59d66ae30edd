// The teachers of a run, from its options.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "alambic/jobs/teacher_options.h"
#include "alambic/model/pretrained.h"
#include "alambic/objective/options.h"
#include "alambic/teacher/cached.h"
#include "alambic/teacher/privileged.h"
#include "alambic/teacher/teacher_mixture.h"
#include "alambic/text/dataset.h"
#include "alambic/train/examples.h"

namespace alambic {

/// Rows of a data set whose completions are to be graded.
struct GradedRows {
  const std::vector<Example>& examples;
  const std::vector<TokenizedExample>& tokenized;
  const std::string& file;
  int64_t max_completion = 0;  ///< most tokens of a sampled completion; 0: only given completions
};

/// How teachers are loaded: as everything that is only read, in --teacher-dtype.
LoadOptions teacher_load(const TeacherOptions& options, LoadOptions load);

class TeacherPool {
 public:
  /// Loads the teachers, if any; with a cache only their heads. A cache of log-probabilities keeps
  /// them at --kd-temperature. Refused: vocabularies that are not the student's, names or shares
  /// that do not fit, more kept tokens than there are, layers that cannot be shown. `student` and
  /// `loss` must outlive the pool.
  TeacherPool(const TeacherOptions& options, const ObjectiveOptions& loss,
              const Pretrained& student, const std::string& student_folder,
              const LoadOptions& load);

  /// Shortest context among the teachers.
  int64_t positions() const { return positions_; }
  /// Who grades these rows: by tag or all, each behind its `teacher_prompt` where a row has one.
  /// With a cache, grades of the completions that it lacks are made first.
  /// Input errors name the file's line: a tag that no teacher has, a prompt that leaves no room.
  TeacherMixture over(const GradedRows& rows) const;
  /// The model of the only teacher; null where there are several or none in this process.
  const Model* only_model() const;
  bool cached() const { return !members_.empty() && members_.front().cache != nullptr; }
  /// Not from a cache, and not without a teacher.
  bool evaluates_new_completions() const { return !members_.empty() && !cached(); }

 private:
  struct Member {
    NamedFolder source;
    std::shared_ptr<const Teacher> teacher;
    std::shared_ptr<TeacherCache> cache;  // null: live
    double share = 1;
  };
  Member make_member(const NamedFolder& source, const TeacherOptions& options);
  std::shared_ptr<const Teacher> local(std::shared_ptr<const Model> model) const;
  std::vector<size_t> route(const GradedRows& rows) const;
  std::shared_ptr<const Teacher> over(const Member& member, const GradedRows& rows,
                                      const std::vector<size_t>& graded) const;
  TeacherPrompts prompts_of(const GradedRows& rows) const;
  void fill(const Member& member, const GradedRows& rows, const TeacherPrompts& prompts,
            const std::vector<size_t>& graded) const;

  const ObjectiveOptions& loss_;
  const Pretrained& student_;
  std::string student_folder_;
  LoadOptions load_;  // of teachers
  std::vector<Member> members_;
  std::shared_ptr<HeadCache> head_cache_ = std::make_shared<HeadCache>();
  bool averaged_ = false;
  int64_t positions_ = 0;
};

}  // namespace alambic
