#include "alambic/serve/grade_job.h"

namespace alambic {

int64_t GradeJob::tokens() const {
  int64_t count = 0;
  for (const std::vector<int32_t>& sequence : sequences) count += std::ssize(sequence);
  return count;
}

int64_t GradeJob::rows() const {
  int64_t count = 0;
  for (size_t s = 0; s < sequences.size(); ++s) count += std::ssize(sequences[s]) - from[s];
  return count;
}

void GradeJob::end(Grades grades) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    grades_ = std::move(grades);
    ended_ = true;
  }
  wake();
}

void GradeJob::fail(std::string reason) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    failure_ = std::move(reason);
    ended_ = true;
  }
  wake();
}

bool GradeJob::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

}  // namespace alambic
