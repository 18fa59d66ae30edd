#include "alambic/serve/work_queue.h"

#include <fmt/core.h>

#include "alambic/serve/api_error.h"

namespace alambic {

namespace {

int64_t tokens_of(const SequenceJob& job) { return std::ssize(job.prompt) + job.max_tokens; }

}  // namespace

int64_t CallWork::count() const {
  return std::ssize(sequences) + (grade ? std::ssize(grade->sequences) : 0);
}

int64_t CallWork::tokens() const {
  int64_t tokens = grade ? grade->tokens() : 0;
  for (const std::shared_ptr<SequenceJob>& job : sequences) tokens += tokens_of(*job);
  return tokens;
}

void WorkQueue::submit(const CallWork& work) {
  const int64_t count = work.count(), tokens = work.tokens();
  if (count > limits_.waiting) {
    throw ApiError(413, fmt::format("{} sequences in one request; this server takes {} at most",
                                    count, limits_.waiting));
  }
  if (tokens > limits_.waiting_tokens) {
    throw ApiError(413, fmt::format("{} tokens in one request, with those that it may write; this "
                                    "server takes {} at most",
                                    tokens, limits_.waiting_tokens));
  }
  {
    const std::lock_guard lock(mutex_);
    if (closed_) throw busy("this server is stopping", 10);
    const int64_t waiting = std::ssize(sequences_) + std::ssize(grades_);
    if (waiting + count > limits_.waiting || tokens_ + tokens > limits_.waiting_tokens) {
      ++rejections_;
      throw busy(fmt::format("{} sequences and {} tokens are waiting; this server lets {} and {} "
                             "wait at most",
                             waiting, tokens_, limits_.waiting, limits_.waiting_tokens),
                 1);
    }
    tokens_ += tokens;
    sequences_.insert(sequences_.end(), work.sequences.begin(), work.sequences.end());
    if (work.grade) grades_.push_back(work.grade);
  }
  changed_.notify_one();
}

std::vector<std::shared_ptr<SequenceJob>> WorkQueue::take_sequences(size_t model, int64_t most) {
  std::vector<std::shared_ptr<SequenceJob>> taken;
  const std::lock_guard lock(mutex_);
  std::erase_if(sequences_, [&](const std::shared_ptr<SequenceJob>& job) {
    const bool take = job->model == model && std::ssize(taken) < most;
    if (!take && !job->cancelled()) return false;
    tokens_ -= tokens_of(*job);
    if (!job->cancelled()) taken.push_back(job);
    return true;
  });
  return taken;
}

std::shared_ptr<GradeJob> WorkQueue::take_grade(size_t model) {
  std::shared_ptr<GradeJob> taken;
  const std::lock_guard lock(mutex_);
  std::erase_if(grades_, [&](const std::shared_ptr<GradeJob>& job) {
    const bool take = job->model == model && !taken;
    if (!take && !job->cancelled()) return false;
    tokens_ -= job->tokens();
    if (!job->cancelled()) taken = job;
    return true;
  });
  return taken;
}

void WorkQueue::wait(std::chrono::milliseconds longest) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, longest, [&] { return !sequences_.empty() || !grades_.empty(); });
}

void WorkQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

void WorkQueue::fail_waiting(const std::string& reason) {
  std::deque<std::shared_ptr<SequenceJob>> sequences;
  std::deque<std::shared_ptr<GradeJob>> grades;
  {
    const std::lock_guard lock(mutex_);
    sequences.swap(sequences_);
    grades.swap(grades_);
    tokens_ = 0;
  }
  for (const std::shared_ptr<SequenceJob>& job : sequences) job->end(JobEnd::failed, reason);
  for (const std::shared_ptr<GradeJob>& job : grades) job->fail(reason);
}

bool WorkQueue::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

int64_t WorkQueue::waiting() const {
  const std::lock_guard lock(mutex_);
  return std::ssize(sequences_) + std::ssize(grades_);
}

int64_t WorkQueue::rejections() const {
  const std::lock_guard lock(mutex_);
  return rejections_;
}

}  // namespace alambic
