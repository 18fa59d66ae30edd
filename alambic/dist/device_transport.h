// How devices of a job's ranks reach each other without their hosts: NCCL between GPUs.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "alambic/tensor/tensor.h"

namespace c10d {
class Backend;
class Store;
}  // namespace c10d

namespace alambic {

/// What joins devices of one type; GPUs' is kernels/cuda/glue.cpp's.
struct DeviceTransport {
  /// A new c10d::Backend of rank `rank` of `size`, of which the caller has the reference. `store`:
  /// a c10d::Store* that nobody else writes to.
  void* (*join)(void* store, int rank, int size, int64_t timeout_ms) = nullptr;
  /// Writes a name that no other device has, of any machine, and a NUL.
  void (*name)(int device, char* text, int64_t size) = nullptr;
};

/// From now on devices of that type are joined by it; of null functions: through their hosts.
void use_device_transport(at::DeviceType type, const DeviceTransport& transport);

/// What joins the devices of all ranks, of which this is rank `rank`; each asks with its own, and
/// `gather` brings a text of each. A GPU's library is looked for beside this one. Null functions
/// where a rank has no transport or two share a device, which rank 0 says: then tensors go through
/// the hosts. The environment variable ALAMBIC_NCCL: "none" asks for that; another is an input
/// error.
DeviceTransport device_transport(
    at::Device device, int64_t rank,
    const std::function<std::vector<std::string>(const std::string& own)>& gather);

/// Rank `rank` of `size`. Errors are c10d's.
c10::intrusive_ptr<c10d::Backend> join_devices(const DeviceTransport& transport,
                                               const c10::intrusive_ptr<c10d::Store>& store,
                                               int64_t rank, int64_t size,
                                               std::chrono::milliseconds timeout);

}  // namespace alambic
