#include "alambic/serve/sequence_job.h"

#include <iterator>

namespace alambic {

void SequenceJob::add(WrittenToken token) {
  {
    const std::lock_guard lock(mutex_);
    new_tokens_.push_back(std::move(token));
  }
  if (wake_at_tokens) wake();
}

void SequenceJob::end(JobEnd how, std::string failure) {
  {
    const std::lock_guard lock(mutex_);
    if (end_ != JobEnd::running) return;
    end_ = how;
    failure_ = std::move(failure);
  }
  wake();
}

JobEnd SequenceJob::take(std::vector<WrittenToken>& tokens) {
  const std::lock_guard lock(mutex_);
  tokens.insert(tokens.end(), std::make_move_iterator(new_tokens_.begin()),
                std::make_move_iterator(new_tokens_.end()));
  new_tokens_.clear();
  return end_;
}

std::string SequenceJob::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

}  // namespace alambic
