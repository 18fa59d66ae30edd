#pragma once

#include <vector>

#include "alambic/tensor/tensor.h"

namespace alambic::kernels {

/// Positions that packed_delta_rule computes at once.
constexpr int64_t kChunk = 64;

/// The gated delta rule (Yang et al., arXiv 2412.06464, equation 10). A head remembers a matrix S
/// [dk, dv], a map from keys to values. At every position it forgets a share, corrects the value
/// that S has for the key, and reads the query's:
///   S ← exp(g)·S,   S ← S + k ⊗ β·(v − kᵀS),   o = qᵀS.
struct DeltaInputs {
  Tensor q_NKd, k_NKd;  ///< dk wide; head h reads K's h / (H / K)
  Tensor v_NHd;         ///< dv wide
  Tensor decay_NH;      ///< g ≤ 0, logarithms
  Tensor rate_NH;       ///< β in [0, 1]
};

struct DeltaOutputs {
  Tensor out_NHd;     ///< dv wide, of v's dtype
  Tensor state_SHkv;  ///< states behind the sequences; float32, float64 for float64 values
};

/// Outputs over packed sequences, each from S = 0, in chunks of kChunk positions: within a chunk
/// the corrections are the solution of a triangular system (section 3.3; transformers'
/// torch_chunk_gated_delta_rule). Only differences of cumulative decays within a chunk are raised
/// to exponentials, none of them above 0, so that nothing overflows. Computed in float32, or
/// float64 for float64 values. Differentiable in all inputs.
DeltaOutputs packed_delta_rule(const DeltaInputs& inputs, const std::vector<int64_t>& offsets);

/// One position for each of N sequences, whose states [N, H, dk, dv] came from these functions.
DeltaOutputs delta_rule_step(const DeltaInputs& inputs, const Tensor& state_NHkv);

}  // namespace alambic::kernels
