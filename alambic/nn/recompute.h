// The layers of a pass: weights that come before each and go after it (dist/layer_weights.h), and
// activation checkpointing (Chen et al., arXiv 1604.06174): of a layer only the input is kept for
// the backward pass, which runs the layer again.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "alambic/nn/pass.h"

namespace alambic {

class LayerWeights;

/// While one with `on` is open in a thread, layers of learning passes there keep their input alone.
/// A scope as at::AutoGradMode is one: who learns decides, models only say what a layer is.
class RecomputeLayers {
 public:
  explicit RecomputeLayers(bool on);
  ~RecomputeLayers();
  RecomputeLayers(const RecomputeLayers&) = delete;
  RecomputeLayers& operator=(const RecomputeLayers&) = delete;

 private:
  bool before_;
};

/// While one is open in a thread, layers of passes there have their weights from `weights`; null:
/// they are there. Who runs a model decides, as with RecomputeLayers. Layers whose gradients are
/// added up over ranks run again in the backward pass, whatever RecomputeLayers says. Keep one open
/// for one model at a time.
class WithWeights {
 public:
  explicit WithWeights(LayerWeights* weights);
  ~WithWeights();
  WithWeights(const WithWeights&) = delete;
  WithWeights& operator=(const WithWeights&) = delete;

 private:
  LayerWeights* before_;
};

/// The layers of one pass. A layer runs again after its model's `hidden` has returned, so the pass
/// that it reads is kept here: it must take `pass()` from a copy of this.
class LayerRuns {
 public:
  /// A layer: the tensors that it reads of earlier ones to those that later ones read of it.
  using Layer = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs)>;

  explicit LayerRuns(const Pass& pass);
  const Pass& pass() const { return *pass_; }

  /// The next layer: layer(inputs), and its gradients bit for bit; all inputs and outputs are
  /// defined. What it reads besides (weights, where dropout draws from) must still be the same in
  /// the backward pass.
  std::vector<Tensor> run(const Layer& layer, const std::vector<Tensor>& inputs) const;

  /// A layer of one input and one output.
  template <class L>
  Tensor run(const L& layer, const Tensor& x_ND) const {
    if (!kept_ && weights_ == nullptr) return layer(x_ND);
    return run([layer](const std::vector<Tensor>& in) { return std::vector{layer(in[0])}; },
               std::vector{x_ND})[0];
  }

 private:
  struct Kept;

  std::shared_ptr<const Kept> kept_;  // null: layers run once
  const Pass* pass_;
  LayerWeights* weights_;
  mutable int64_t next_ = 0;  // layer that runs next
};

}  // namespace alambic
