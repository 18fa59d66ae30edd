#include "alambic/dist/device_transport.h"

#include <algorithm>
#include <array>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include "alambic/base/environment.h"
#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/tensor/by_device_type.h"
#include "alambic/tensor/device_library.h"

namespace alambic {

namespace {

DeviceTransport& transport_by_type(at::DeviceType type) {
  static ByDeviceType<DeviceTransport> transports;
  return transports[type];
}

// Makes a device's ready; why it is not, or nothing.
std::string open_transport(at::Device device) {
  if (environment_choice("ALAMBIC_NCCL", {"none"}, "GPUs send to each other by NCCL")) {
    use_device_transport(device.type(), {});
    return "ALAMBIC_NCCL is none";
  }
  if (!device.is_cuda()) return "";
  const DeviceLibrary library("libalambic_cuda_torch.so");
  if (!library.problem().empty()) return library.problem();
  use_device_transport(at::kCUDA,
                       {.join = library.function<void*(void*, int, int, int64_t)>("alambic_nccl"),
                        .name = library.function<void(int, char*, int64_t)>("alambic_gpu_name")});
  return "";
}

// Why these ranks' devices, by their names, cannot be joined, or nothing. No name: no transport.
std::string problem_of(const std::vector<std::string>& names, const std::string& own_problem) {
  for (size_t r = 0; r < names.size(); ++r) {
    if (names[r].empty()) {
      return fmt::format("rank {} has nothing that joins devices{}{}", r,
                         own_problem.empty() ? "" : ": ", own_problem);
    }
    const auto other = static_cast<size_t>(std::ranges::find(names, names[r]) - names.begin());
    if (other < r) return fmt::format("ranks {} and {} share the device {}", other, r, names[r]);
  }
  return "";
}

}  // namespace

void use_device_transport(at::DeviceType type, const DeviceTransport& transport) {
  transport_by_type(type) = transport;
}

DeviceTransport device_transport(
    at::Device device, int64_t rank,
    const std::function<std::vector<std::string>(const std::string& own)>& gather) {
  const std::string own_problem = open_transport(device);
  const DeviceTransport& transport = transport_by_type(device.type());
  std::array<char, 256> name = {};
  if (transport.join != nullptr) transport.name(device.index(), name.data(), std::ssize(name));
  const std::vector<std::string> names = gather(name.data());
  const std::string problem = problem_of(names, own_problem);
  if (problem.empty()) return transport;
  if (rank == 0) {
    warn("what {} ranks' devices send goes through the hosts' memory: {} (docs/scale.md)",
         names.size(), problem);
  }
  return {};
}

c10::intrusive_ptr<c10d::Backend> join_devices(const DeviceTransport& transport,
                                               const c10::intrusive_ptr<c10d::Store>& store,
                                               int64_t rank, int64_t size,
                                               std::chrono::milliseconds timeout) {
  auto own_store = c10::make_intrusive<c10d::PrefixStore>("devices", store);
  void* const backend = transport.join(own_store.get(), static_cast<int>(rank),
                                       static_cast<int>(size), timeout.count());
  return c10::intrusive_ptr<c10d::Backend>::reclaim(static_cast<c10d::Backend*>(backend));
}

}  // namespace alambic
