// The sampling engine: continuous batching over a slot cache. A sequence leaves the batch when it
// ends and the next prompt takes its slot before the next token is computed, so no sequence waits
// for the longest.
#pragma once

#include <functional>
#include <span>

#include "alambic/flow/rollouts.h"
#include "alambic/model/model.h"
#include "alambic/rollout/sampling.h"

namespace alambic {

/// One sequence to write. `id` names the draws: the token at position t of the whole sequence,
/// prompt included, is drawn with Draw{seed, Stream::sampling, step, id, t}. So the same prompt and
/// id give the same completion in any batch, and a prompt that ends in the beginning of an earlier
/// completion gives the rest of it.
struct Request {
  std::vector<int32_t> prompt;
  uint64_t id = 0;
};

enum class Ending { stop_token, length };

struct Completion {
  std::vector<int32_t> tokens;  ///< ids without the prompt, with a drawn stop token
  std::vector<float> logp;      ///< log softmax(logits / temperature)[token] of the model, before
                                ///< any filter; at temperature 0 of the logits themselves
  Ending ending = Ending::length;
  /// Weights with a mixed-in teacher: the model's probability of the token over that of the mixture
  /// which drew it. Empty: 1, the model alone drew.
  std::vector<float> weights;
};

/// A second model whose distribution is mixed in. Tokens are drawn from share·p + (1 − share)·q, p
/// the mixed-in teacher's and q the model's softmax(logits / temperature): MiniLLM's teacher-mixed
/// sampling (Gu et al., arXiv 2306.08543, §2.2). Without filters, at a temperature above 0.
struct MixedTeacher {
  const Model* model = nullptr;  ///< null: none
  double share = 0;              ///< above 0, below 1
};

struct EngineOptions {
  Sampling sampling;
  std::vector<int32_t> stop_tokens;
  int64_t vocabulary = 0;  ///< the tokenizer's real size; padded rows are never drawn. 0: all rows
  int64_t batch = 64;      ///< most sequences running at a time
  uint64_t seed = 0;
  uint64_t step = 0;  ///< Draw::step: the optimizer step
  MixedTeacher mixed_teacher;
  int64_t prefill_tokens = 4096;  ///< most prompt tokens in one pass; a longer prompt goes alone
};

struct EngineProgress {
  int64_t completions_done = 0;
  int64_t tokens = 0;  ///< drawn so far
  int64_t passes = 0;  ///< decoding passes so far, each over all running sequences
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
/// sequence may become.
std::vector<Completion> generate(const Model& model, std::span<const Request> requests,
                                 const EngineOptions& options, const OnToken& on_token = {},
                                 const OnProgress& on_progress = {});

/// Packs prompts and completions for grading and training.
Rollouts to_rollouts(std::span<const Request> requests, std::span<const Completion> completions,
                     int64_t policy_step, at::Device device);

}  // namespace alambic
