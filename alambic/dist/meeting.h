// Where the ranks of a job meet: c10d's store on rank 0's machine, or the launcher's.
#pragma once

#include <chrono>

#include "alambic/base/launch_environment.h"
#include "alambic/tensor/tensor.h"

namespace c10d {
class Store;
}

namespace alambic {

/// The store that this rank meets the others at, under a prefix of the job's attempt. Rank 0 opens
/// it where the launcher has none; `as_guest`: it is open already. Errors are c10d's.
c10::intrusive_ptr<c10d::Store> meet(const LaunchEnvironment& place,
                                     std::chrono::milliseconds timeout, bool as_guest = false);

}  // namespace alambic
