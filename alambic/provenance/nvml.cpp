// NVIDIA's management library, as far as a record and the policy ask, loaded where it is there: no
// header of it is needed to build, and no GPU to start.
#include <dlfcn.h>

#include <array>
#include <memory>

#include "alambic/base/environment.h"
#include "alambic/base/error.h"
#include "alambic/provenance/energy.h"
#include "alambic/provenance/machine.h"

namespace alambic {
namespace {

// As in nvml.h, whose layouts do not change for a name with its version.
using Device = void*;
struct Memory {
  unsigned long long total, free, used;
};
struct Pci {
  std::array<char, 16> legacy;
  unsigned domain, bus, device, id, subsystem;
  std::array<char, 32> bus_id;
};

class Library {
 public:
  explicit Library(const char* name) : handle_(::dlopen(name, RTLD_NOW | RTLD_LOCAL)) {}
  ~Library() {
    if (began_) call("nvmlShutdown");
    if (handle_ != nullptr) ::dlclose(handle_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  bool is_there() const { return handle_ != nullptr; }
  bool begin() { return began_ = call("nvmlInit_v2"); }
  template <class... Args>
  bool call(const char* name, Args... args) const {
    auto* function = reinterpret_cast<int (*)(Args...)>(::dlsym(handle_, name));
    return function != nullptr && function(args...) == 0;
  }
  template <class... Args>
  std::string text(const char* name, Args... args) const {
    std::array<char, 128> buffer{};
    if (!call(name, args..., buffer.data(), static_cast<unsigned>(buffer.size() - 1))) return "";
    return buffer.data();
  }

 private:
  void* handle_;
  bool began_ = false;
};

std::optional<bool> mode_of(const Library& nvml, const char* name, Device device) {
  unsigned current = 0, pending = 0;
  if (!nvml.call(name, device, &current, &pending)) return {};
  return current != 0;
}

// Links to other GPUs or to a switch that are up; nothing where the device has none to tell of.
std::optional<int> active_links(const Library& nvml, Device device) {
  constexpr unsigned most = 18;
  std::optional<int> active;
  for (unsigned link = 0; link < most; ++link) {
    unsigned state = 0;
    if (!nvml.call("nvmlDeviceGetNvLinkState", device, link, &state)) continue;
    active = active.value_or(0) + (state != 0 ? 1 : 0);
  }
  return active;
}

Gpu describe(const Library& nvml, Device device) {
  Gpu gpu{.name = nvml.text("nvmlDeviceGetName", device),
          .uuid = nvml.text("nvmlDeviceGetUUID", device),
          .driver = nvml.text("nvmlSystemGetDriverVersion"),
          .ecc = mode_of(nvml, "nvmlDeviceGetEccMode", device),
          .mig = mode_of(nvml, "nvmlDeviceGetMigMode", device)};
  Pci pci{};
  if (nvml.call("nvmlDeviceGetPciInfo_v3", device, &pci)) gpu.pci_bus = pci.bus_id.data();
  Memory memory{};
  if (nvml.call("nvmlDeviceGetMemoryInfo", device, &memory)) gpu.memory_bytes = memory.total;
  unsigned limit = 0;
  if (nvml.call("nvmlDeviceGetPowerManagementLimit", device, &limit)) {
    gpu.power_limit_milliwatts = limit;
  }
  int major = 0, minor = 0;
  if (nvml.call("nvmlDeviceGetCudaComputeCapability", device, &major, &minor)) {
    gpu.compute_capability = fmt::format("{}.{}", major, minor);
  }
  int cuda = 0;
  if (nvml.call("nvmlSystemGetCudaDriverVersion_v2", &cuda)) {
    gpu.cuda = fmt::format("{}.{}", cuda / 1000, cuda % 1000 / 10);
  }
  gpu.nvlinks = active_links(nvml, device);
  return gpu;
}

std::string library_name() {
  return environment_variable("ALAMBIC_NVML").value_or("libnvidia-ml.so.1");
}

// How many devices there are; nothing, and why.
std::optional<unsigned> count_devices(Library& nvml, std::string& why) {
  unsigned count = 0;
  if (!nvml.is_there()) {
    why = "there is no NVIDIA management library";
  } else if (!nvml.begin()) {
    why = "NVIDIA's management library does not start";
  } else if (!nvml.call("nvmlDeviceGetCount_v2", &count)) {
    why = "it counts no devices";
  } else {
    return count;
  }
  return {};
}

}  // namespace

std::optional<double> gpu_joules(std::string& why) {
  Library nvml(library_name().c_str());
  const auto count = count_devices(nvml, why);
  if (!count) return {};
  double joules = 0;
  for (unsigned i = 0; i < *count; ++i) {
    Device device = nullptr;
    unsigned long long millijoules = 0;
    if (!nvml.call("nvmlDeviceGetHandleByIndex_v2", i, &device) ||
        !nvml.call("nvmlDeviceGetTotalEnergyConsumption", device, &millijoules)) {
      why = fmt::format("GPU {} does not count its energy", i);
      return {};
    }
    joules += static_cast<double>(millijoules) * 1e-3;
  }
  if (*count > 0) return joules;
  why = "there is no GPU";
  return {};
}

GpuList list_gpus() {
  Library nvml(library_name().c_str());
  GpuList list;
  const auto count = count_devices(nvml, list.unknown);
  for (unsigned i = 0; i < count.value_or(0); ++i) {
    Device device = nullptr;
    const bool found = nvml.call("nvmlDeviceGetHandleByIndex_v2", i, &device);
    list.gpus.push_back(found ? describe(nvml, device) : Gpu{});
  }
  return list;
}

}  // namespace alambic
