// Next-token training: pre-training on a text's windows, fine-tuning on completions.
#pragma once

#include <memory>

#include "alambic/dist/world.h"
#include "alambic/flow/packed.h"
#include "alambic/model/model.h"
#include "alambic/text/data/token_spool.h"
#include "alambic/train/examples.h"
#include "alambic/train/tokenized_rows.h"
#include "alambic/train/training_task.h"

namespace alambic {

class LayerWeights;

/// Sequences with the positions whose next token is learned.
struct TokenBatch {
  Packed input;
  Tensor loss_positions_M;  ///< int64 positions into input
  Tensor targets_M;         ///< int64, the token that follows each
};

/// Prompt and completion end to end; graded are the completion's tokens that are
/// learned. The last token needs no
/// forward pass and is left out.
TokenBatch completion_batch(const std::vector<TokenizedExample>& examples, at::Device device);

/// Windows of a text: each token but a window's last is read, and graded is what follows it.
TokenBatch window_batch(const std::vector<std::vector<int32_t>>& windows, at::Device device);

/// Source of the batches of a run.
struct BatchSource {
  virtual ~BatchSource() = default;
  /// The micro-batches of a step that are this rank's, on all ranks together `batch_size`
  /// sequences.
  virtual std::vector<TokenBatch> step(int64_t step) = 0;
  /// Sequences of one pass over the data: examples, or the windows that the text is long.
  virtual int64_t sequences_per_epoch() const = 0;
};

struct BatchOptions {
  int64_t batch_size = 16;
  int64_t micro_batch_size = 0;  ///< 0: the whole batch
  uint64_t seed = 0;
  at::Device device = at::kCPU;
  /// Ranks that share each step's sequences.
  std::shared_ptr<const World> world = std::make_shared<World>();
};

/// Every example needs a completion. `shares`: those of a mixture; empty: none.
std::unique_ptr<BatchSource> examples_source(TokenizedRows examples, const BatchOptions& options,
                                             const std::vector<RowShare>& shares = {});

/// A text of which windows are drawn, with its weight beside others.
struct WeightedText {
  TokenSpool tokens;
  double weight = 1;
};

/// Windows of `length` tokens at random places of one text, or of several in their shares; each
/// needs at least length + 1 tokens.
std::unique_ptr<BatchSource> windows_source(std::vector<WeightedText> texts, int64_t length,
                                            const BatchOptions& options);

struct NextTokenSettings {
  int64_t vocabulary = 0;         ///< tokens of the head that are learned
  bool recompute_layers = false;  ///< activation checkpointing (nn/recompute.h)
  /// Ranks of the source.
  std::shared_ptr<const World> world = std::make_shared<World>();
  std::shared_ptr<LayerWeights> layers = nullptr;  ///< the student's; null: they are all here
};

std::unique_ptr<TrainingTask> next_token_task(Model& student, std::unique_ptr<BatchSource> source,
                                              const NextTokenSettings& settings);

/// Mean cross-entropy per graded token over batches, no gradient.
double mean_cross_entropy(const Model& model, const std::vector<TokenBatch>& batches,
                          int64_t vocabulary);

}  // namespace alambic
