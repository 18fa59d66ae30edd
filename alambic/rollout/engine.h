// The sampling engine: continuous batching over a slot cache. A sequence leaves the batch when it
// ends and the next prompt takes its slot before the next token is computed, so no sequence waits
// for the longest.
#pragma once

#include <functional>
#include <span>

#include "alambic/dist/world.h"
#include "alambic/flow/rollouts.h"
#include "alambic/rollout/batch.h"
#include "alambic/scale/cache_pages.h"

namespace alambic {

struct EngineOptions {
  Sampling sampling;
  std::vector<int32_t> stop_tokens;
  int64_t vocabulary = 0;  ///< the tokenizer's real size; padded rows are never drawn. 0: all rows
  int64_t batch = 64;      ///< most sequences running at a time
  uint64_t seed = 0;
  uint64_t step = 0;  ///< Draw::step: the optimizer step
  MixedTeacher mixed_teacher;
  int64_t prefill_tokens = 4096;  ///< most prompt tokens in one pass; a longer prompt goes alone
  int64_t page = cache_page;      ///< tokens of a page of a device's cache
  /// Ranks that write the same requests together, the model being each one's part (Model::part).
  /// Each also makes the logits of its part of the vocabulary; the first one draws and tells the
  /// others. Not with a mixed-in teacher. Null: this process alone.
  std::shared_ptr<const World> ranks = nullptr;
};

struct EngineProgress {
  int64_t completions_done = 0;
  int64_t tokens = 0;  ///< drawn so far
  int64_t passes = 0;  ///< so far, each over all running sequences, prompts that join, or both
};

using OnToken = std::function<void(size_t request, int32_t token)>;
using OnProgress = std::function<void(const EngineProgress&)>;

/// Writes a completion to every request, in the order of the requests. A completion ends with a
/// stop token, or with Ending::length at sampling.max_new_tokens or where the model's context is
/// full. Input errors that name the request's index: an empty prompt, a prompt that leaves no room
/// for one token within the context, a token id outside the model's vocabulary, logits that are not
/// finite.
/// `on_token(request index, token)` is called as tokens are drawn, those of one request in their
/// order; `on_progress` after every pass over the running sequences. Both may be empty, and run on
/// the calling thread. Memory: a cache of min(batch, requests) slots, each as long as the longest
/// sequence may become; on a device pages for what is written (device_engine.h).
std::vector<Completion> generate(const Model& model, std::span<const Request> requests,
                                 const EngineOptions& options, const OnToken& on_token = {},
                                 const OnProgress& on_progress = {});

/// Packs prompts and completions for grading and training.
Rollouts to_rollouts(std::span<const Request> requests, std::span<const Completion> completions,
                     int64_t policy_step, at::Device device);

}  // namespace alambic
