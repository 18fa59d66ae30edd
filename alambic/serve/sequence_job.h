// A sequence to write for a client: asked by the connection's thread, written by the engine's.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "alambic/serve/http_messages.h"

namespace alambic {

/// How tokens are drawn, as OpenAI's and vLLM's fields say it.
struct DrawSettings {
  double temperature = 1;  ///< 0: the most likely token
  int64_t top_k = 0;       ///< 0: all
  double top_p = 1, min_p = 0;
  double repetition_penalty = 0;  ///< 0: as the model's generation_config.json says
  std::vector<std::pair<int32_t, float>> logit_bias;
  uint64_t seed = 0;  ///< of the draws, with the index of the choice
};

/// One token that was written.
struct WrittenToken {
  int32_t id = 0;
  float logp = 0;  ///< log softmax(logits)[id]; where alternatives are asked for
  std::vector<std::pair<int32_t, float>> alternatives;  ///< the most likely, falling
};

enum class JobEnd { running, stop_token, length, failed };

class SequenceJob {
 public:
  // What is asked. Not changed once it is submitted.
  size_t model = 0;  ///< index of the served model
  std::vector<int32_t> prompt;
  DrawSettings draws;
  uint64_t choice = 0;               ///< names the draws beside the seed (Request::id)
  int64_t max_tokens = 16;           ///< at least 1; prompt and this fit into the context
  std::vector<int32_t> stop_tokens;  ///< beside the model's own
  bool ignore_eos = false;           ///< the model's own stop tokens do not stop
  int64_t alternatives = -1;    ///< log-probabilities, with so many of the most likely; −1: none
  bool wake_at_tokens = false;  ///< wake at every token, not at the end alone
  Wake wake;
  std::chrono::steady_clock::time_point asked = std::chrono::steady_clock::now();

  // The engine's side.
  void add(WrittenToken token);
  void end(JobEnd how, std::string failure = "");
  bool cancelled() const { return cancelled_; }

  // The connection's side.
  void cancel() { cancelled_ = true; }
  /// Moves the tokens that are new to the end of `tokens`; says whether and how it has ended.
  JobEnd take(std::vector<WrittenToken>& tokens);
  std::string failure() const;

 private:
  mutable std::mutex mutex_;
  std::vector<WrittenToken> new_tokens_;
  JobEnd end_ = JobEnd::running;
  std::string failure_;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace alambic
