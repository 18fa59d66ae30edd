// What waits for the engine, with limits: a server that queues without end answers everybody too
// late.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "alambic/serve/grade_job.h"
#include "alambic/serve/sequence_job.h"

namespace alambic {

struct QueueLimits {
  int64_t waiting = 1024;            ///< most sequences that wait
  int64_t waiting_tokens = 1 << 20;  ///< most tokens of theirs: prompts, and what may be written
};

/// Work of one call: all of it waits, or none.
struct CallWork {
  std::vector<std::shared_ptr<SequenceJob>> sequences;
  std::shared_ptr<GradeJob> grade;  ///< null: none

  int64_t count() const;
  int64_t tokens() const;
};

class WorkQueue {
 public:
  explicit WorkQueue(QueueLimits limits) : limits_(limits) {}

  /// An ApiError: 413 for work that is over a limit by itself, 503 with Retry-After for work that
  /// is too much now, or comes to a server that is stopping.
  void submit(const CallWork& work);
  /// The first sequences that wait for this model, at most so many. Cancelled ones are dropped.
  std::vector<std::shared_ptr<SequenceJob>> take_sequences(size_t model, int64_t most);
  /// The first grading that waits for this model; null: none.
  std::shared_ptr<GradeJob> take_grade(size_t model);
  /// Waits until there is work, or the time is over.
  void wait(std::chrono::milliseconds longest);
  /// Refuses all further work.
  void close();
  /// Ends all that waits as failed, for this reason.
  void fail_waiting(const std::string& reason);

  bool closed() const;
  int64_t waiting() const;
  int64_t rejections() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  QueueLimits limits_;
  std::deque<std::shared_ptr<SequenceJob>> sequences_;
  std::deque<std::shared_ptr<GradeJob>> grades_;
  int64_t tokens_ = 0;  // of all that waits
  int64_t rejections_ = 0;
  bool closed_ = false;
};

}  // namespace alambic
