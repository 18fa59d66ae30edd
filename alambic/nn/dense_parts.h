// Of models whose matrices may be packed: their dense tensors, and one matrix at a time decoded.
#pragma once

#include "alambic/nn/linear.h"

namespace alambic {

/// Visitor of every tensor but packed weights, which nothing changes.
TensorVisitor of_dense(const TensorVisitor::OnTensor& on_tensor);

/// The weight as [out, in], however it is stored; a packed one as it is.
Weight as_rows(const Linear& linear);

/// What the weight becomes with the adapter as part of it: as it is stored, float32.
Tensor merged_weight(const Linear& linear);

}  // namespace alambic
