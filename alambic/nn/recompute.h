// Activation checkpointing (Chen et al., arXiv 1604.06174): of a layer only the input is kept for
// the backward pass, which runs the layer again.
#pragma once

#include <functional>
#include <memory>

#include "alambic/nn/pass.h"

namespace alambic {

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

/// The layers of one pass. A layer runs again after its model's `hidden` has returned, so the pass
/// that it reads is kept here: it must take `pass()` from a copy of this.
class LayerRuns {
 public:
  using Layer = std::function<Tensor(const Tensor& x_ND)>;

  explicit LayerRuns(const Pass& pass);
  const Pass& pass() const { return *pass_; }

  /// layer(x_ND), and its gradients bit for bit. What it reads besides (weights, where dropout
  /// draws from) must still be the same in the backward pass.
  template <class L>
  Tensor run(const L& layer, const Tensor& x_ND) const {
    return kept_ ? run_twice(layer, x_ND) : layer(x_ND);
  }

 private:
  struct Kept;
  static Tensor run_twice(const Layer& layer, const Tensor& x_ND);

  std::shared_ptr<const Kept> kept_;  // null: layers run once
  const Pass* pass_;
};

}  // namespace alambic
