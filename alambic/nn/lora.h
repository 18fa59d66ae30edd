// Low-rank adapters (Hu et al., arXiv 2106.09685), with rank-stabilized scaling (arXiv 2312.03732)
// and weight decomposition (DoRA, arXiv 2402.09353).
#pragma once

#include <memory>

#include "alambic/nn/module.h"
#include "alambic/nn/slices.h"

namespace alambic {

/// Shared by the adapters of a model. A mask is a pure function of these, of the adapter and of the
/// element's place in the pass; it is applied only where gradients are recorded, so sampling,
/// grading and validation see none.
struct LoraDropout {
  double rate = 0;
  uint64_t seed = 0;
  uint64_t step = 0;
  uint64_t micro_batch = 0;
};

struct Lora {
  Tensor a_RI;                                 ///< [rank, in]
  Tensor b_ER;                                 ///< [out, rank]
  Tensor magnitude_E;                          ///< DoRA's row norms, [out]; undefined: plain LoRA
  double scaling = 1;                          ///< alpha / rank, or alpha / sqrt(rank)
  uint64_t index = 0;                          ///< number of this adapter in its model
  std::shared_ptr<const LoraDropout> dropout;  ///< null: none

  /// `x_ND` with dropout, or itself.
  Tensor drop(const Tensor& x_ND) const;
  /// scaling · B A x, [N, out].
  Tensor update(const Tensor& x_ND) const;
  /// Norm of every row of W + scaling · B A, a constant for autograd (DoRA, section 4.3). Kept
  /// between passes until A or B changes; W never does. Of a packed W some rows at a time are
  /// decoded.
  Tensor norm_E(const Weight& weight_EI) const;
  /// The weight that does the same without an adapter, float32.
  Tensor merged(const Tensor& weight_EI) const;
  void visit(const std::string& prefix, const TensorVisitor& visitor);

  /// Copies for a map with these of its outputs or inputs alone. What those with parts of the
  /// inputs make adds up; DoRA's norms are those of the whole weight's rows.
  std::shared_ptr<Lora> with_outputs(const Slices& outputs) const;
  std::shared_ptr<Lora> with_inputs(const Slices& inputs, const Tensor& weight_EI) const;

 private:
  void keep_norm(const Tensor& value_E) const;
  struct Norm {
    Tensor a, b, value;
    int64_t a_version = 0, b_version = 0;
  };
  // Rows begin … of W + scaling · B A, float32.
  Tensor summed(const Tensor& rows_CI, int64_t begin) const;
  mutable Norm kept_;
};

}  // namespace alambic
