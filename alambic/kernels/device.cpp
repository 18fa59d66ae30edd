#include "alambic/kernels/device.h"

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "alambic/base/environment.h"
#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/tensor/by_device_type.h"
#include "alambic/tensor/device_library.h"

namespace alambic::kernels {
namespace {

DeviceKernels& kernels_by_type(at::DeviceType type) {
  static ByDeviceType<DeviceKernels> kernels;
  return kernels[type];
}

void* current_stream(at::Device device) {
  if (device.is_cpu()) return nullptr;
  return c10::impl::VirtualGuardImpl(device.type()).getStream(device).native_handle();
}

// Why the GPU has no kernels; empty: it has.
std::string open_cuda(at::Device device) {
  const auto found = load_device_table("libalambic_cuda.so", device.index());
  if (const auto* reason = std::get_if<std::string>(&found)) return *reason;
  use_device_kernels(device.type(), {.table = std::get<const DeviceTable*>(found)});
  return "";
}

}  // namespace

void use_device_kernels(at::DeviceType type, const DeviceKernels& kernels) {
  kernels_by_type(type) = kernels;
}

const DeviceKernels* device_kernels(at::Device device) {
  const DeviceKernels& kernels = kernels_by_type(device.type());
  return kernels.table == nullptr ? nullptr : &kernels;
}

void open_device_kernels(at::Device device) {
  if (device.is_cpu()) return;
  const auto wanted = environment_choice("ALAMBIC_KERNELS", {"required", "none"},
                                         "a device's kernels are used where they can be");
  if (wanted == "none") return use_device_kernels(device.type(), {});
  if (device_kernels(device) != nullptr) return;
  const std::string reason =
      device.is_cuda() ? open_cuda(device) : "nobody has built them for such a device";
  if (reason.empty()) return;
  if (wanted == "required") {
    throw environment_error("device {} has no kernels of ours, which ALAMBIC_KERNELS requires: {}",
                            device.str(), reason)
        .with_hint("they are built where nvcc is: tools/setup --cuda, then make (docs/kernels.md)");
  }
  warn(
      "device {} has no kernels of ours: {}; norms, attention over the cache, draws, losses and "
      "the update are libtorch's operators, with the same results, and decoding and losses are "
      "several times slower (docs/kernels.md)",
      device.str(), reason);
}

std::variant<const DeviceTable*, std::string> load_device_table(const std::string& path,
                                                                int device) {
  const DeviceLibrary library(path);
  if (!library.problem().empty()) return library.problem();
  const std::string& whole = library.path();
  auto* shows = library.function<const DeviceTable*()>(device_table_function);
  if (shows == nullptr) return fmt::format("{} shows no {}", whole, device_table_function);
  const DeviceTable* table = shows();
  if (table->layout != device_layout) {
    return fmt::format("{} is of another build: its table is {:x}, expected {:x}", whole,
                       table->layout, device_layout);
  }
  if (const char* fault = table->fault(device)) {
    return fmt::format("{} cannot run on GPU {}: {}", whole, device, fault);
  }
  return table;
}

void DeviceCall::enqueue(const std::function<void(void* stream)>& launch) const {
  const c10::DeviceGuard guard(device_);  // a stream is one of its device
  try {
    void* const stream = current_stream(device_);
    if (kernels_.around) {
      kernels_.around(stream, launch);
    } else {
      launch(stream);
    }
  } catch (const Error&) {
    throw;
  } catch (const std::runtime_error& error) {
    throw environment_error("device {}: {}", device_.str(), error.what())
        .with_hint("`alambic info` lists the devices; --device cpu works everywhere");
  }
}

}  // namespace alambic::kernels
