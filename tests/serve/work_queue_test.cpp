#include "alambic/serve/work_queue.h"

#include <gtest/gtest.h>

#include "alambic/serve/api_error.h"
#include "alambic/serve/server_metrics.h"

namespace alambic::work_queue_test {
namespace {

CallWork work_of(size_t sequences, size_t prompt, int64_t max_tokens, size_t model = 0) {
  CallWork work;
  for (size_t i = 0; i < sequences; ++i) {
    auto job = std::make_shared<SequenceJob>();
    job->model = model;
    job->prompt.assign(prompt, 1);
    job->max_tokens = max_tokens;
    job->wake = [] {};
    work.sequences.push_back(std::move(job));
  }
  return work;
}

int status_of(WorkQueue& queue, const CallWork& work) {
  try {
    queue.submit(work);
    return 200;
  } catch (const ApiError& error) {
    EXPECT_EQ(error.retry_after > 0, error.status == 503);
    return error.status;
  }
}

// Prevents: a full queue that takes half of a call; a call that can never be taken told to retry.
TEST(WorkQueue, TakesAllOfACallOrNone) {
  WorkQueue queue({.waiting = 4, .waiting_tokens = 100});
  EXPECT_EQ(status_of(queue, work_of(5, 1, 1)), 413);
  EXPECT_EQ(status_of(queue, work_of(1, 50, 51)), 413);
  EXPECT_EQ(status_of(queue, work_of(3, 1, 1)), 200);
  EXPECT_EQ(status_of(queue, work_of(2, 1, 1)), 503);
  EXPECT_EQ(queue.waiting(), 3);
  EXPECT_EQ(queue.rejections(), 1);
  EXPECT_EQ(status_of(queue, work_of(1, 90, 5)), 503);  // too many tokens
  EXPECT_EQ(status_of(queue, work_of(1, 80, 5)), 200);
  queue.close();
  EXPECT_EQ(status_of(queue, work_of(1, 1, 1)), 503);
}

// Prevents: tokens of cancelled or taken work counted for ever, until everything is refused.
TEST(WorkQueue, ForgetsWhatWasTakenOrCancelled) {
  WorkQueue queue({.waiting = 4, .waiting_tokens = 100});
  const CallWork first = work_of(2, 20, 20), second = work_of(1, 10, 10, 1);
  EXPECT_EQ(status_of(queue, first), 200);
  EXPECT_EQ(status_of(queue, second), 200);
  EXPECT_EQ(status_of(queue, work_of(1, 1, 1)), 503);
  first.sequences[0]->cancel();
  EXPECT_EQ(queue.take_sequences(0, 8), std::vector{first.sequences[1]});
  EXPECT_EQ(queue.waiting(), 1);
  EXPECT_TRUE(queue.take_sequences(0, 8).empty());
  EXPECT_EQ(status_of(queue, work_of(1, 40, 40)), 200);
  EXPECT_EQ(queue.take_sequences(1, 8), second.sequences);
}

TEST(WorkQueue, FailsWhatWaitsWhenTheServerStops) {
  WorkQueue queue({});
  const CallWork work = work_of(2, 1, 1);
  queue.submit(work);
  queue.fail_waiting("the end");
  std::vector<WrittenToken> tokens;
  EXPECT_EQ(work.sequences[1]->take(tokens), JobEnd::failed);
  EXPECT_EQ(work.sequences[1]->failure(), "the end");
  EXPECT_EQ(queue.waiting(), 0);
}

// Prevents: buckets that do not add up, which Prometheus takes for negative counts.
TEST(ServerMetrics, WritesCumulativeBuckets) {
  ServerMetrics metrics;
  for (const double seconds : {0.0005, 0.02, 0.03, 100.0}) {
    metrics.time_to_first_token.observe(seconds);
  }
  metrics.cached_tokens = 1;
  metrics.cache_tokens = 4;
  const std::string text = metrics_text(metrics, 3, 2);
  for (const char* line : {"alambic:num_requests_waiting 3\n", "alambic:kv_cache_usage_perc 0.25\n",
                           "alambic:admission_rejections_total{reason=\"queue_full\"} 2\n",
                           "alambic:time_to_first_token_seconds_bucket{le=\"0.001\"} 1\n",
                           "alambic:time_to_first_token_seconds_bucket{le=\"0.025\"} 2\n",
                           "alambic:time_to_first_token_seconds_bucket{le=\"60\"} 3\n",
                           "alambic:time_to_first_token_seconds_bucket{le=\"+Inf\"} 4\n",
                           "alambic:time_to_first_token_seconds_count 4\n",
                           "# TYPE alambic:generation_tokens_total counter\n"}) {
    EXPECT_NE(text.find(line), text.npos) << line << text;
  }
}

}  // namespace
}  // namespace alambic::work_queue_test
