// What a validation lets the student write, and what it finds there.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "alambic/base/metrics.h"
#include "alambic/dist/layer_weights.h"
#include "alambic/model/pretrained.h"
#include "alambic/rollout/engine.h"
#include "alambic/text/dataset.h"

namespace alambic {

/// Completions of a validation, list by list. Rank 0 writes each as it asks for it; where ranks
/// write together (EngineOptions::ranks) all lists are written before, and all ranks take part.
class ValidationWriting {
 public:
  /// `student` and `layers` (null: all are here) must outlive it.
  ValidationWriting(const Model& student, LayerWeights* layers, std::shared_ptr<const World> world)
      : student_(student), layers_(layers), world_(std::move(world)) {}

  /// Adds a list, and returns its number.
  size_t add(std::vector<Request> requests, const EngineOptions& engine);
  const std::vector<Request>& requests(size_t list) const { return lists_[list].requests; }
  std::vector<Completion> take(size_t list);
  /// Writes all lists. All ranks call it.
  void write();

 private:
  struct List {
    std::vector<Request> requests;
    EngineOptions engine;
    std::optional<std::vector<Completion>> written = {};
  };
  const Model& student_;
  LayerWeights* layers_;
  std::shared_ptr<const World> world_;
  std::vector<List> lists_;
};

/// For TrainerParts: `figures` on rank 0; `write` before it on all ranks, empty: nothing is written
/// together.
struct Validation {
  std::function<Metrics(int64_t step)> figures = {};
  std::function<void()> write = {};
};

/// `writing` as Validation::write, where ranks write together.
std::function<void()> write_together(const std::shared_ptr<ValidationWriting>& writing,
                                     const EngineOptions& engine);

/// "valid_exact_match" of greedy completions to the rows; none when they have no `answer`. The
/// engine's sampling is ignored but for the length.
std::function<Metrics()> exact_match(const Pretrained& student, const std::vector<Example>& rows,
                                     EngineOptions engine,
                                     const std::shared_ptr<ValidationWriting>& writing);

}  // namespace alambic
