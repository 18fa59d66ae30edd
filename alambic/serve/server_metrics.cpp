#include "alambic/serve/server_metrics.h"

#include <fmt/core.h>

#include <algorithm>

namespace alambic {

namespace {

void head(std::string& text, const std::string& name, const std::string& help, const char* type) {
  text += fmt::format("# HELP alambic:{} {}\n# TYPE alambic:{} {}\n", name, help, name, type);
}

void value(std::string& text, const std::string& name, const std::string& help, const char* type,
           double number) {
  head(text, name, help, type);
  text += fmt::format("alambic:{} {}\n", name, number);
}

}  // namespace

void SecondsHistogram::observe(double seconds) {
  const std::lock_guard lock(mutex_);
  const auto place = std::ranges::lower_bound(bounds, seconds) - bounds.begin();
  ++counts_[static_cast<size_t>(place)];
  sum_ += seconds;
}

void SecondsHistogram::write(std::string& text, const std::string& name,
                             const std::string& help) const {
  const std::lock_guard lock(mutex_);
  head(text, name, help, "histogram");
  int64_t count = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    count += counts_[i];
    const std::string bound = i < bounds.size() ? fmt::format("{}", bounds[i]) : "+Inf";
    text += fmt::format("alambic:{}_bucket{{le=\"{}\"}} {}\n", name, bound, count);
  }
  text += fmt::format("alambic:{}_sum {}\nalambic:{}_count {}\n", name, sum_, name, count);
}

std::string metrics_text(const ServerMetrics& metrics, int64_t waiting, int64_t rejections) {
  std::string text;
  const auto number = [](int64_t count) { return static_cast<double>(count); };
  value(text, "num_requests_running", "Sequences that are being written.", "gauge",
        number(metrics.running));
  value(text, "num_requests_waiting", "Sequences that wait.", "gauge", number(waiting));
  const int64_t cache = metrics.cache_tokens;
  value(text, "kv_cache_usage_perc", "Share of the cache that is in use, 1 is all.", "gauge",
        cache == 0 ? 0 : number(metrics.cached_tokens) / number(cache));
  value(text, "prompt_tokens_total", "Tokens of prompts that were read.", "counter",
        number(metrics.prompt_tokens));
  value(text, "generation_tokens_total", "Tokens that were written.", "counter",
        number(metrics.generation_tokens));
  value(text, "graded_tokens_total", "Tokens that were graded.", "counter",
        number(metrics.graded_tokens));
  head(text, "request_success_total", "Sequences that ended, by reason.", "counter");
  const auto ended = [&](const char* reason, int64_t count) {
    text +=
        fmt::format("alambic:request_success_total{{finished_reason=\"{}\"}} {}\n", reason, count);
  };
  ended("stop", metrics.ended_by_stop);
  ended("length", metrics.ended_by_length);
  ended("abort", metrics.aborted);
  ended("error", metrics.failed);
  head(text, "admission_rejections_total", "Requests that were refused, by reason.", "counter");
  text +=
      fmt::format("alambic:admission_rejections_total{{reason=\"queue_full\"}} {}\n", rejections);
  metrics.time_to_first_token.write(text, "time_to_first_token_seconds",
                                    "From the request to its first token.");
  metrics.inter_token_latency.write(text, "inter_token_latency_seconds", "Between two tokens.");
  metrics.e2e_request_latency.write(text, "e2e_request_latency_seconds",
                                    "From the request to its last token.");
  metrics.queue_time.write(text, "request_queue_time_seconds", "Waiting for a place in the batch.");
  metrics.grade_seconds.write(text, "grade_seconds", "Grading one request.");
  return text;
}

}  // namespace alambic
