// What joins the simulated devices of several processes: Gloo on the memory that their kernels see,
// behind the interface that NCCL has.
#pragma once

#include <cstdint>

namespace alambic::simulated {

/// From now on ranks' devices are joined by it. `one_device`: they all say that they are the same
/// one, as ranks do that share a GPU, which NCCL refuses.
void use_transport(bool one_device = false);

/// Messages that it has carried since the last call.
int64_t take_messages();

}  // namespace alambic::simulated
