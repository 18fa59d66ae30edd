#pragma once

#include "alambic/base/random.h"
#include "alambic/tensor/tensor.h"

namespace alambic {

/// Normal draws of mean 0 into a dense float32 tensor on the CPU: element i is the draw `first`
/// with i as its sample, whatever the number of threads.
void fill_normal(const Tensor& tensor, double deviation, const Draw& first);

}  // namespace alambic
