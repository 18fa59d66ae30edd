#include "alambic/dist/device_transport.h"

#include <algorithm>
#include <array>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include "alambic/base/environment.h"
#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/tensor/device_library.h"

namespace alambic {

namespace {

using ByType = std::array<DeviceTransport, static_cast<size_t>(at::COMPILE_TIME_MAX_DEVICE_TYPES)>;

DeviceTransport& transport_of(at::DeviceType type) {
  static ByType transports;
  return transports.at(static_cast<size_t>(type));
}

bool wants_nccl() {
  const std::string value = environment_variable("ALAMBIC_NCCL").value_or("");
  if (value.empty()) return true;
  if (value == "none") return false;
  throw input_error("ALAMBIC_NCCL is '{}', expected none", value)
      .with_hint("unset, GPUs send to each other by NCCL");
}

// Makes a GPU's ready; why it is not, or nothing.
std::string open_nccl() {
  if (!wants_nccl()) {
    use_device_transport(at::kCUDA, {});
    return "ALAMBIC_NCCL is none";
  }
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
  transport_of(type) = transport;
}

c10::intrusive_ptr<c10d::Backend> join_devices(
    at::Device device, const c10::intrusive_ptr<c10d::Store>& store, int64_t rank, int64_t size,
    std::chrono::milliseconds timeout,
    const std::function<std::vector<std::string>(const std::string& own)>& gather) {
  std::string own_problem;
  if (device.is_cuda()) own_problem = open_nccl();
  const DeviceTransport& transport = transport_of(device.type());
  std::array<char, 256> name = {};
  if (transport.join != nullptr) transport.name(device.index(), name.data(), std::ssize(name));
  const std::string problem = problem_of(gather(name.data()), own_problem);
  if (!problem.empty()) {
    if (rank == 0) {
      warn("what {} ranks' devices send goes through the hosts' memory: {} (docs/scale.md)", size,
           problem);
    }
    return {};
  }
  auto own_store = c10::make_intrusive<c10d::PrefixStore>("devices", store);
  void* const backend = transport.join(own_store.get(), static_cast<int>(rank),
                                       static_cast<int>(size), timeout.count());
  return c10::intrusive_ptr<c10d::Backend>::reclaim(static_cast<c10d::Backend*>(backend));
}

}  // namespace alambic
