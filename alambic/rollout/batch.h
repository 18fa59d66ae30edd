// Sequences that are written side by side. One joins while others run, draws a token at every step
// and leaves when it ends or when nobody wants it any more; its slot is free for the next at once.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/dist/world.h"
#include "alambic/model/model.h"
#include "alambic/rollout/sample.h"

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

/// A sequence of a batch: what is asked, and what was written so far. What is referred to must
/// outlive its run.
struct RunningSequence {
  const Request* request = nullptr;
  const Sampling* sampling = nullptr;
  std::span<const int32_t> stop_tokens;
  uint64_t seed = 0, step = 0;
  int64_t room = 0;  ///< most tokens of its completion, which the model's context must hold
  int64_t top = -1;  ///< at least 0: `plain_logp` and so many `alternatives` of every draw

  Completion completion;
  float plain_logp = 0;  ///< log softmax(logits)[token] of the last draw: no temperature, no filter
  /// The most likely tokens at the last draw with their log softmax(logits), falling.
  std::vector<std::pair<int32_t, float>> alternatives;
  bool ended = false;
  std::optional<Error> failure;  ///< why it ended without a further token
  int64_t slot = -1;             ///< of the cache, while it runs
};

/// Size of a batch, and what is the same for all of its sequences.
struct BatchShape {
  int64_t slots = 64;      ///< most sequences at a time
  int64_t capacity = 512;  ///< tokens of a slot; more are made when a sequence needs them
  int64_t vocabulary = 0;  ///< the tokenizer's real size; padded rows are never drawn. 0: all rows
  MixedTeacher mixed_teacher;
  int64_t prefill_tokens = 4096;  ///< most prompt tokens in one pass; a longer prompt goes alone
  std::shared_ptr<const World> ranks = nullptr;  ///< see EngineOptions::ranks
};

/// Move-only. All calls from one thread, without gradients (c10::InferenceMode).
class Batch {
 public:
  /// After each draw: the sequence has its new token, or a failure; if it has ended, it has left.
  using OnDrawn = std::function<void(RunningSequence&)>;

  /// An environment error where there is no memory for the keys and values.
  Batch(const Model& model, const BatchShape& options);

  int64_t free_slots() const { return std::ssize(free_slots_); }
  const std::vector<RunningSequence*>& running() const { return running_; }
  /// Tokens that the running sequences have in the cache.
  int64_t cached_tokens() const;
  /// Tokens that the cache has room for.
  int64_t capacity() const { return sampled_.front().cache.capacity; }

  /// Passes through the model so far.
  int64_t passes() const { return passes_; }

  /// Draws one token for every running sequence, and the first one for the first of `waiting`, as
  /// many as one pass takes and slots are free; there must be one of either. They are read in the
  /// pass of the running ones, which wait for no other, where the model's cache mixes
  /// (KvCache::mixes); else in one before. A prompt that equals the one before it is not read
  /// again. Returns how many joined. Where there is no memory for a longer cache, an environment
  /// error, and none has joined.
  size_t step(std::span<RunningSequence* const> waiting, const OnDrawn& on_drawn);
  /// Ends a running sequence where it is.
  void leave(RunningSequence& sequence);

 private:
  // A model that has its say in what is drawn: the first is the one that is asked.
  struct SampledModel {
    const Model& model;
    Head head;
    KvCache cache;
  };

  void add_sampled(const Model& model);
  std::span<RunningSequence* const> first_that_fit(std::span<RunningSequence* const> waiting) const;
  void reserve(int64_t capacity);
  void pass(size_t first, std::span<RunningSequence* const> joining, const OnDrawn& on_drawn);
  Tensor logits(const SampledModel& sampled, const Tensor& hidden_BD) const;
  void draw(const std::vector<Tensor>& of_sampled, size_t first, const OnDrawn& on_drawn);
  void draw_rows(const Tensor& logits_BV, size_t first);
  std::optional<Drawn> draw_one(std::span<const float> logits_V, RunningSequence& sequence) const;
  void weigh(const Tensor& own_BV, size_t first);
  void release(RunningSequence& sequence);
  Tensor to_device(const Tensor& tensor) const;

  BatchShape options_;
  std::vector<SampledModel> sampled_;
  std::vector<int64_t> free_slots_;  // the next one last
  std::vector<RunningSequence*> running_;
  std::vector<std::optional<Drawn>> drawn_;
  int64_t passes_ = 0;
};

}  // namespace alambic
