// Manifold-constrained hyper-connections (Xie et al., arXiv 2512.24880), as in transformers'
// modeling_deepseek_v4.py: the residual stream is S streams; a block reads a weighted sum of them,
// and its output is added to each with another weight, after the streams have been mixed.
#pragma once

#include "alambic/nn/module.h"

namespace alambic {

struct HyperShape {
  int64_t width = 0, streams = 0;
  int64_t iterations = 0;      ///< rounds that normalize rows and columns
  double epsilon = 1e-6;       ///< added to weights and to sums of them
  double norm_epsilon = 1e-6;  ///< epsilon of the norm of the streams
};

/// Connection around one block. All weights come from the streams themselves, in float32.
struct HyperConnection {
  HyperShape shape;
  Tensor fn;     ///< [(2 + S) · S, S · D], to the weights: read, write, mix
  Tensor base;   ///< [(2 + S) · S]
  Tensor scale;  ///< [3]: read, write, mix

  /// Input of the block, and weights by which its output is written and the streams are mixed.
  struct Reading {
    Tensor x_ND, write_NS, mix_NSS;
  };

  explicit HyperConnection(const HyperShape& shape);
  Reading read(const Tensor& streams_NSD) const;
  /// The streams after the block: stream k is Σ_j mix[j, k] · stream j + write[k] · y.
  Tensor write(const Tensor& streams_NSD, const Reading& reading, const Tensor& y_ND) const;
  /// Names are PREFIX_fn, PREFIX_base, PREFIX_scale.
  void visit(const std::string& prefix, const TensorVisitor& visitor);
};

/// The sum of the streams that the final norm reads.
struct HyperHead {
  HyperShape shape;
  Tensor fn, base, scale;  ///< [S, S · D], [S], [1]

  explicit HyperHead(const HyperShape& shape);
  Tensor operator()(const Tensor& streams_NSD) const;
  void visit(const std::string& prefix, const TensorVisitor& visitor);
};

}  // namespace alambic
