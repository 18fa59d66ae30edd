#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "alambic/rollout/batch.h"
#include "alambic/serve/server_metrics.h"
#include "alambic/serve/work_queue.h"

namespace alambic {

struct EngineSetup {
  size_t index = 0;  ///< of the served model
  const Model* model = nullptr;
  int64_t vocabulary = 0;
  int64_t context = 0;
  std::vector<int32_t> stop_tokens;
  Sampling sampling;  ///< what the model's generation_config.json asks of every draw
  int64_t batch = 64;
};

/// What one model writes and grades for clients. All calls from one thread.
class ModelEngine {
 public:
  explicit ModelEngine(EngineSetup setup);
  ~ModelEngine();
  ModelEngine(ModelEngine&& other) noexcept;

  /// One round: sequences that nobody wants leave, one grading is done, waiting sequences join, and
  /// every running one gets a token. False where there was nothing to do.
  bool work(WorkQueue& queue, ServerMetrics& metrics);
  /// Ends all that runs, for this reason.
  void fail_all(const std::string& reason);
  int64_t running() const { return std::ssize(running_) + std::ssize(joining_); }
  int64_t cached_tokens() const { return batch_->cached_tokens(); }
  int64_t cache_tokens() const { return setup_.batch * batch_->capacity(); }

 private:
  struct Running;

  void leave(ServerMetrics& metrics);
  bool grade(WorkQueue& queue, ServerMetrics& metrics);
  void take(WorkQueue& queue, ServerMetrics& metrics);
  void step(ServerMetrics& metrics);
  void on_drawn(RunningSequence& sequence, ServerMetrics& metrics);
  void reset();

  EngineSetup setup_;
  Head wide_head_;
  std::unique_ptr<Batch> batch_;
  std::unordered_map<RunningSequence*, std::unique_ptr<Running>> running_;  // those in the batch
  std::deque<std::unique_ptr<Running>> joining_;  // those that it will take next
};

}  // namespace alambic
