// Teachers on ranks of their own, as a learner's rank sees them.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "alambic/dist/world.h"
#include "alambic/teacher/rank_messages.h"
#include "alambic/teacher/teacher.h"

namespace alambic {

/// A learner's connection to the teachers' ranks, which are the last of a job's. Of all that a step
/// learns from they are told before its first pass, so that they grade what comes next while the
/// learner learns from what is there. Every sequence is graded by one of them. They have as many of
/// the micro-batches, which are divided by whole sequences where that needs it. Environment errors:
/// World's.
class TeacherRanks {
 public:
  /// `all`: the ranks of the job, `learners` of them before the teachers'.
  TeacherRanks(std::shared_ptr<const World> all, int64_t learners);

  int64_t size() const { return std::ssize(outbox_); }
  /// Head of the next teacher, of which there is one for each --teacher, once.
  Head receive_head(at::Device device) const;

  /// Adds to the round that the next ask() sends.
  void expect(int64_t member, const Rollouts& rollouts);
  /// Sends what is expected. All learners ask together, also those that expect nothing. `step`:
  /// from 0, for messages.
  void ask(int64_t step);
  /// Grades of these rollouts, without a head, on their device. Where they were not expected they
  /// are asked for now, which the first learner alone may do.
  HiddenStates take(int64_t member, const Rollouts& rollouts);
  /// Lets the teachers' ranks end as the run does; the first learner tells them.
  void end(int64_t ending);

  /// Seconds that passes for this learner have taken since it was last asked, by teacher's rank.
  std::vector<double> take_seconds();

 private:
  struct Part {
    int64_t rank = 0, number = 0;  // of the teachers, of the request
  };
  struct Asked {
    int64_t member = 0, step = 0;
    Rollouts rollouts;
    std::vector<Part> parts;
  };
  void divide(int64_t member);
  void send_round(RankRequest::Kind kind);
  std::deque<Asked>::iterator find(int64_t member, const Rollouts& rollouts);
  HiddenStates receive(const Asked& asked);

  std::shared_ptr<const World> all_;
  int64_t learners_, step_ = 0, requests_ = 0;
  std::vector<std::vector<RankRequest>> outbox_;  // of the round that is not sent yet
  std::deque<Asked> expected_, pending_;
  std::vector<Message> sent_;  // of the last round
  std::vector<double> seconds_;
};

/// One of these teachers.
class RankTeacher : public Teacher {
 public:
  /// Receives its head.
  RankTeacher(std::shared_ptr<TeacherRanks> ranks, int64_t member, at::Device device)
      : ranks_(std::move(ranks)), member_(member), head_(ranks_->receive_head(device)) {}

  void expect(const Rollouts& rollouts) const override { ranks_->expect(member_, rollouts); }
  TeacherOutput evaluate(const Rollouts& rollouts) const override {
    HiddenStates states = ranks_->take(member_, rollouts);
    states.head = head_;
    return states;
  }

 private:
  std::shared_ptr<TeacherRanks> ranks_;
  int64_t member_;
  Head head_;
};

}  // namespace alambic
