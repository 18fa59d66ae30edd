#pragma once

#include "alambic/flow/head.h"
#include "alambic/objective/cross_entropy_cpu.h"

namespace alambic {

/// One number per row, float64 on the logits' device.
struct CrossEntropyRows {
  Tensor cross_entropy_C;  ///< −log softmax(logits / T)[target]
  Tensor agreement_C;      ///< 1: the target is the most likely token
};

/// cross_entropy_row for every row of logits_CV (a HeadChunks buffer): the kernel for float32 on a
/// CPU, tensor operations elsewhere. With row.gradient logits_CV becomes the gradient.
CrossEntropyRows cross_entropy_rows(const CrossEntropyRow& row, const Tensor& logits_CV,
                                    const Tensor& targets_C);

/// int64, contiguous, one per hidden state and inside the head's vocabulary: the kernel trusts
/// them. Input errors: a target outside.
Tensor checked_targets(const Tensor& hidden_MD, const Head& head, const Tensor& targets_M);

}  // namespace alambic
