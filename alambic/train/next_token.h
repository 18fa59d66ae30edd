// Next-token training: pre-training on a text's windows, fine-tuning on completions.
#pragma once

#include <memory>

#include "alambic/flow/packed.h"
#include "alambic/model/model.h"
#include "alambic/train/examples.h"
#include "alambic/train/training_task.h"

namespace alambic {

/// Sequences with the positions whose next token is learned.
struct TokenBatch {
  Packed input;
  Tensor loss_positions_M;  ///< int64 positions into input
  Tensor targets_M;         ///< int64, the token that follows each
};

/// Prompt and completion end to end; graded are the completion's tokens that are
/// learned. The last token needs no
/// forward pass and is left out.
TokenBatch completion_batch(const std::vector<const TokenizedExample*>& examples,
                            at::Device device);

/// Windows of `length` tokens that begin at `starts`; graded is every position's next token, so a
/// window reads one token past its end.
TokenBatch window_batch(const std::vector<int32_t>& tokens, const std::vector<int64_t>& starts,
                        int64_t length, at::Device device);

/// Source of the batches of a run.
struct BatchSource {
  virtual ~BatchSource() = default;
  /// The micro-batches of a step, together `batch_size` sequences.
  virtual std::vector<TokenBatch> step(int64_t step) = 0;
  /// Sequences of one pass over the data: examples, or the windows that the text is long.
  virtual int64_t sequences_per_epoch() const = 0;
};

struct BatchOptions {
  int64_t batch_size = 16;
  int64_t micro_batch_size = 0;  ///< 0: the whole batch
  uint64_t seed = 0;
  at::Device device = at::kCPU;
};

/// Every example needs a completion.
std::unique_ptr<BatchSource> examples_source(std::vector<TokenizedExample> examples,
                                             const BatchOptions& options);
/// Windows at random places of one long text; needs at least length + 1 tokens.
std::unique_ptr<BatchSource> windows_source(std::vector<int32_t> tokens, int64_t length,
                                            const BatchOptions& options);

/// `recompute_layers`: activation checkpointing (nn/recompute.h).
std::unique_ptr<TrainingTask> next_token_task(Model& student, std::unique_ptr<BatchSource> source,
                                              int64_t vocabulary, bool recompute_layers = false);

/// Mean cross-entropy per graded token over batches, no gradient.
double mean_cross_entropy(const Model& model, const std::vector<TokenBatch>& batches,
                          int64_t vocabulary);

}  // namespace alambic
