#include "alambic/jobs/model_engine.h"

#include <algorithm>

#include "alambic/base/log.h"
#include "alambic/nn/head_logits.h"
#include "alambic/teacher/grades.h"

namespace alambic {

using Clock = std::chrono::steady_clock;

namespace {

double seconds_since(Clock::time_point from) {
  return std::chrono::duration<double>(Clock::now() - from).count();
}

Sampling sampling_of(const DrawSettings& draws, Sampling sampling) {
  sampling.temperature = draws.temperature;
  sampling.top_k = draws.top_k;
  sampling.top_p = draws.top_p;
  sampling.min_p = draws.min_p;
  sampling.logit_bias = draws.logit_bias;
  if (draws.repetition_penalty > 0) sampling.repetition_penalty = draws.repetition_penalty;
  return sampling;
}

}  // namespace

struct ModelEngine::Running {
  std::shared_ptr<SequenceJob> job;
  Request request;
  Sampling sampling;
  std::vector<int32_t> stop_tokens;
  RunningSequence sequence;
  Clock::time_point last_token;

  Running(std::shared_ptr<SequenceJob> of, const EngineSetup& setup)
      : job(std::move(of)),
        request{.prompt = job->prompt, .id = job->choice},
        sampling(sampling_of(job->draws, setup.sampling)),
        stop_tokens(job->stop_tokens) {
    if (!job->ignore_eos) {
      stop_tokens.insert(stop_tokens.end(), setup.stop_tokens.begin(), setup.stop_tokens.end());
    }
    sequence.request = &request;
    sequence.sampling = &sampling;
    sequence.stop_tokens = stop_tokens;
    sequence.seed = job->draws.seed;
    sequence.top = job->alternatives;
    sequence.room = job->max_tokens;
  }
};

ModelEngine::ModelEngine(EngineSetup setup) : setup_(std::move(setup)) {
  const c10::InferenceMode no_gradients;
  wide_head_ = wide_head(setup_.model->head().cut(setup_.vocabulary));
  reset();
}

ModelEngine::ModelEngine(ModelEngine&& other) noexcept = default;

ModelEngine::~ModelEngine() = default;

void ModelEngine::reset() {
  running_.clear();
  joining_.clear();
  batch_ = std::make_unique<Batch>(*setup_.model,
                                   BatchShape{.slots = setup_.batch,
                                              .capacity = std::min<int64_t>(512, setup_.context),
                                              .vocabulary = setup_.vocabulary});
}

bool ModelEngine::work(WorkQueue& queue, ServerMetrics& metrics) {
  const c10::InferenceMode no_gradients;
  try {
    leave(metrics);
    bool worked = grade(queue, metrics);
    take(queue, metrics);
    if (running() == 0) return worked;
    step(metrics);
    return true;
  } catch (const std::exception& error) {
    warn("the batch is given up: {}", error.what());
    fail_all(error.what());
    return true;
  }
}

void ModelEngine::fail_all(const std::string& reason) {
  const c10::InferenceMode no_gradients;
  for (const auto& entry : running_) entry.second->job->end(JobEnd::failed, reason);
  for (const std::unique_ptr<Running>& running : joining_) {
    running->job->end(JobEnd::failed, reason);
  }
  reset();
}

void ModelEngine::leave(ServerMetrics& metrics) {
  std::vector<RunningSequence*> left;
  for (const auto& entry : running_) {
    if (entry.second->job->cancelled()) left.push_back(entry.first);
  }
  for (RunningSequence* sequence : left) {
    batch_->leave(*sequence);
    running_.at(sequence)->job->end(JobEnd::failed, "cancelled");
    running_.erase(sequence);
    ++metrics.aborted;
  }
}

bool ModelEngine::grade(WorkQueue& queue, ServerMetrics& metrics) {
  const std::shared_ptr<GradeJob> job = queue.take_grade(setup_.index);
  if (!job) return false;
  const Clock::time_point begin = Clock::now();
  try {
    job->end(grades_of(*setup_.model, wide_head_, *job));
    metrics.graded_tokens += job->rows();
    metrics.grade_seconds.observe(seconds_since(begin));
  } catch (const std::exception& error) {
    warn("{} tokens cannot be graded: {}", job->tokens(), error.what());
    job->fail(error.what());
  }
  return true;
}

void ModelEngine::take(WorkQueue& queue, ServerMetrics& metrics) {
  const int64_t free = batch_->free_slots() - std::ssize(joining_);
  if (free <= 0) return;
  for (std::shared_ptr<SequenceJob>& job : queue.take_sequences(setup_.index, free)) {
    metrics.queue_time.observe(seconds_since(job->asked));
    joining_.push_back(std::make_unique<Running>(std::move(job), setup_));
  }
}

void ModelEngine::step(ServerMetrics& metrics) {
  std::vector<RunningSequence*> waiting;
  for (const std::unique_ptr<Running>& running : joining_) waiting.push_back(&running->sequence);
  size_t joined = 0;
  try {
    // Looked up while they draw their first tokens.
    for (std::unique_ptr<Running>& running : joining_) {
      RunningSequence* key = &running->sequence;
      running_.emplace(key, std::move(running));
    }
    joining_.clear();
    joined = batch_->step(waiting, [&](RunningSequence& s) { on_drawn(s, metrics); });
  } catch (const Error& error) {
    if (error.exit() != Exit::environment) throw;
    // No memory for a cache that holds the longest of them: they fail, the others go on.
    warn("{} sequences are refused: {}", waiting.size(), error.what());
    for (RunningSequence* sequence : waiting) {
      running_.at(sequence)->job->end(JobEnd::failed, error.what());
      running_.erase(sequence);
    }
    return;
  }
  for (size_t i = joined; i < waiting.size(); ++i) {
    const auto place = running_.find(waiting[i]);
    joining_.push_back(std::move(place->second));
    running_.erase(place);
  }
}

void ModelEngine::on_drawn(RunningSequence& sequence, ServerMetrics& metrics) {
  Running& running = *running_.at(&sequence);
  SequenceJob& job = *running.job;
  if (sequence.failure) {
    ++metrics.failed;
    warn("a sequence fails: {}", sequence.failure->what());
    job.end(JobEnd::failed, sequence.failure->what());
    running_.erase(&sequence);
    return;
  }
  if (sequence.completion.tokens.size() == 1) {
    metrics.prompt_tokens += std::ssize(job.prompt);
    metrics.time_to_first_token.observe(seconds_since(job.asked));
  } else {
    metrics.inter_token_latency.observe(seconds_since(running.last_token));
  }
  running.last_token = Clock::now();
  ++metrics.generation_tokens;
  job.add({.id = sequence.completion.tokens.back(),
           .logp = sequence.plain_logp,
           .alternatives = std::move(sequence.alternatives)});
  if (!sequence.ended) return;
  const bool stopped = sequence.completion.ending == Ending::stop_token;
  ++(stopped ? metrics.ended_by_stop : metrics.ended_by_length);
  metrics.e2e_request_latency.observe(seconds_since(job.asked));
  job.end(stopped ? JobEnd::stop_token : JobEnd::length);
  running_.erase(&sequence);
}

}  // namespace alambic
