// What the server counts, as Prometheus reads it: vLLM's names with the prefix "alambic:".
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>

namespace alambic {

/// Durations in seconds, counted by upper bounds.
class SecondsHistogram {
 public:
  void observe(double seconds);
  /// Appends the lines of `name`.
  void write(std::string& text, const std::string& name, const std::string& help) const;

 private:
  static constexpr std::array<double, 14> bounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                    0.25,  0.5,    1,     2.5,  5,     10,   60};
  mutable std::mutex mutex_;
  std::array<int64_t, bounds.size() + 1> counts_{};
  double sum_ = 0;
};

/// Written by the engine's thread, read by the listener's.
struct ServerMetrics {
  std::atomic<int64_t> running = 0;
  std::atomic<int64_t> cached_tokens = 0, cache_tokens = 0;  ///< in use, and all
  std::atomic<int64_t> prompt_tokens = 0, generation_tokens = 0, graded_tokens = 0;
  std::atomic<int64_t> ended_by_stop = 0, ended_by_length = 0, aborted = 0, failed = 0;
  SecondsHistogram time_to_first_token, inter_token_latency, e2e_request_latency, queue_time,
      grade_seconds;
};

/// The page of /metrics.
std::string metrics_text(const ServerMetrics& metrics, int64_t waiting, int64_t rejections);

}  // namespace alambic
