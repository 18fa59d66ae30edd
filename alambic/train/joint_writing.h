// Completions that the ranks of a job write side by side, or some of them each together.
#pragma once

#include <memory>
#include <vector>

#include "alambic/dist/layer_weights.h"
#include "alambic/rollout/engine.h"

namespace alambic {

/// A student while it writes. Alone its weights are whole meanwhile. Where ranks write together
/// (EngineOptions::ranks), each has its part of the layers in memory of its own, made layer by
/// layer, so that no more than two are whole at a time. All ranks of the job make it, and end it.
class WritingStudent {
 public:
  /// `layers`: the student's; null: all are here. `ranks`: null: this one alone.
  WritingStudent(const Model& student, LayerWeights* layers,
                 const std::shared_ptr<const World>& ranks)
      : whole_(ranks ? nullptr : layers),
        part_(ranks ? student.part(ranks, layers) : nullptr),
        model_(part_ ? *part_ : student) {}

  const Model& operator*() const { return model_; }

 private:
  HeldWeights whole_;
  std::unique_ptr<Model> part_;
  const Model& model_;
};

/// Completions of all requests, in their order, on all ranks of `world`. Each writes its part, or
/// each group of ranks that write together does; `copies` requests in a row are of one prompt and
/// stay together. `student` is WritingStudent's, on every rank.
std::vector<Completion> write_on_ranks(const World& world, const Model& student,
                                       const std::vector<Request>& requests, int64_t copies,
                                       const EngineOptions& engine);

}  // namespace alambic
