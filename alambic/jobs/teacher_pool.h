// The teachers of a run, from its plan.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "alambic/jobs/distill_plan.h"
#include "alambic/jobs/other_tokenizer.h"
#include "alambic/remote/server_record.h"
#include "alambic/teacher/cached.h"
#include "alambic/teacher/privileged.h"
#include "alambic/teacher/teacher_mixture.h"
#include "alambic/text/dataset.h"
#include "alambic/train/grading_rank.h"
#include "alambic/train/tokenized_rows.h"

namespace alambic {

/// Rows of a data set whose completions are to be graded.
struct GradedRows {
  const Examples& examples;
  const TokenizedRows& tokenized;
  int64_t max_completion = 0;  ///< most tokens of a sampled completion; 0: only given completions
};

class TeacherPool {
 public:
  /// Loads the teachers, if any; with a cache only their heads; servers are probed. A cache of
  /// log-probabilities keeps them at --kd-temperature. Refused: vocabularies that are not the
  /// student's without
  /// --cross-tokenizer, more kept tokens
  /// than there are, layers that cannot be shown. The plan's student has its weights: as its own
  /// teacher it is that very model. `plan` must outlive the pool.
  explicit TeacherPool(const DistillPlan& plan);

  /// Shortest context among the teachers.
  int64_t positions() const { return positions_; }
  /// Whether a server does not tell its context.
  bool lacks_positions() const;
  /// Has such servers grade a text of so many tokens, the longest of the run: positions() counts
  /// theirs where it is too long.
  void try_length(int64_t tokens);
  /// Teachers of these rows: by tag or all, each behind its `teacher_prompt` where a row has one.
  /// With a cache, rank 0 makes grades of the completions that it lacks first; all ranks call it.
  /// Input errors name the file's line: a tag that no teacher has, a prompt that leaves no room.
  TeacherMixture over(const GradedRows& rows) const;
  /// What a rank of the teachers' own grades with.
  std::vector<RankGrader> graders() const;
  /// The model of the only teacher; null where there are several or none in this process.
  const Model* only_model() const;
  /// What was found of those behind an address.
  const std::vector<ServerRecord>& servers() const { return servers_; }
  /// Layers of each teacher that grades a row, in their order; null: all are here. Empty where all
  /// of all teachers are.
  std::vector<std::shared_ptr<LayerWeights>> layers() const;
  bool cached() const { return !members_.empty() && members_.front().cache != nullptr; }
  /// Whether teachers grade completions of the run: not from a cache, not without a teacher.
  bool evaluates_new_completions() const { return !members_.empty() && !cached(); }

 private:
  struct Member {
    NamedFolder source;
    std::shared_ptr<const Teacher> teacher;
    std::shared_ptr<LayerWeights> layers;  // null: all here
    std::shared_ptr<TeacherCache> cache;   // null: live
    double share = 1;
    int64_t vocabulary = 0;
    std::shared_ptr<const OtherTokenizer> other;  // null: it has the student's
    int64_t positions = 0;                        // where it has another tokenizer: its context
    std::shared_ptr<RemoteGrader> server = {};    // null: it is here
  };
  using Read = std::function<Rollouts(const Rollouts&)>;
  Member make_member(const PlannedTeacher& planned);
  Member make_remote(const PlannedTeacher& planned);
  std::vector<int64_t> shown_layers(const Model& model) const;
  std::shared_ptr<const Teacher> local(std::shared_ptr<const Model> model, int64_t vocabulary,
                                       std::shared_ptr<LayerWeights> layers) const;
  std::shared_ptr<LayerWeights> divided(Model& model, const std::string& name) const;
  std::vector<size_t> route(const GradedRows& rows) const;
  std::shared_ptr<const Teacher> over(const Member& member, const GradedRows& rows,
                                      const std::vector<size_t>& graded) const;
  TeacherPrompts prompts_of(const GradedRows& rows) const;
  TeacherPrompts own_prompts_of(const Member& member, const GradedRows& rows) const;
  void keep(const Member& member, const GradedRows& rows, const Read& read,
            const std::vector<size_t>& graded) const;
  void fill(const Member& member, const GradedRows& rows, const Read& read,
            const std::vector<size_t>& graded) const;

  const DistillPlan& plan_;
  const Pretrained& student_;
  LoadOptions load_;  // options to load teachers with
  std::vector<Member> members_;
  std::vector<ServerRecord> servers_;
  std::shared_ptr<HeadCache> head_cache_ = std::make_shared<HeadCache>();
  int64_t positions_ = 0;
};

}  // namespace alambic
