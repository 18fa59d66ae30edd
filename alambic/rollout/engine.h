// The sampling engine: continuous batching over a slot cache. A sequence leaves the batch when it
// ends and the next prompt takes its slot.
#pragma once

#include <functional>
#include <span>

#include "alambic/flow/rollouts.h"
#include "alambic/model/model.h"
#include "alambic/rollout/sampling.h"

namespace alambic {

/// One sequence to write. `id` names the draw (Draw::sample), so that the same prompt and id give
/// the same answer in any batch.
struct Request {
  std::vector<int32_t> prompt;
  uint64_t id = 0;
};

enum class Ending { stop_token, length };

struct Answer {
  std::vector<int32_t> tokens;  ///< without the prompt, with the stop token when it was drawn
  std::vector<float> logp;      ///< log softmax(logits / temperature)[token], before any filter;
                                ///< at temperature 0 of the logits themselves
  Ending ending = Ending::length;
};

struct EngineOptions {
  Sampling sampling;
  std::vector<int32_t> stop_tokens;
  int64_t vocabulary = 0;  ///< the tokenizer's real size; padded rows are never drawn. 0: all rows
  int64_t batch = 64;      ///< most sequences running at a time
  uint64_t seed = 0;
  uint64_t step = 0;  ///< Draw::step: the optimizer step
};

struct EngineProgress {
  int64_t answers_done = 0, tokens = 0;
};

/// Writes an answer to every request, in the order of the requests. A prompt that leaves no room
/// for one token within the model's context is an input error naming its index and both lengths.
/// `on_token(request index, token)` is called as tokens are drawn (for streaming); may be empty.
std::vector<Answer> generate(
    const Model& model, std::span<const Request> requests, const EngineOptions& options,
    const std::function<void(size_t request, int32_t token)>& on_token = {},
    const std::function<void(const EngineProgress&)>& on_progress = {});

/// Packs prompts and answers for grading and training.
Rollouts to_rollouts(std::span<const Request> requests, std::span<const Answer> answers,
                     int64_t policy_step, at::Device device);

}  // namespace alambic
