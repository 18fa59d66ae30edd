#include "alambic/kernels/device.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <array>

#include "alambic/base/error.h"

namespace alambic::kernels {
namespace {

using ByType = std::array<DeviceKernels, static_cast<size_t>(at::COMPILE_TIME_MAX_DEVICE_TYPES)>;

ByType& by_type() {
  static ByType kernels;
  return kernels;
}

std::string loader_error() {
  const char* reason = ::dlerror();
  return reason == nullptr ? "the loader gives no reason" : reason;
}

std::string beside_this_library(const std::string& name) {
  static const char mark = 0;
  Dl_info found;
  if (::dladdr(&mark, &found) == 0 || found.dli_fname == nullptr) return name;
  const std::string own = found.dli_fname;
  return own.substr(0, own.rfind('/') + 1) + name;
}

const void* call(void* library, const char* name) {
  auto* function = reinterpret_cast<const void* (*)()>(::dlsym(library, name));
  return function == nullptr ? nullptr : function();
}

}  // namespace

void use_device_kernels(at::DeviceType type, const DeviceKernels& kernels) {
  by_type().at(static_cast<size_t>(type)) = kernels;
}

const DeviceKernels* device_kernels(at::Device device) {
  const DeviceKernels& kernels = by_type()[static_cast<size_t>(device.type())];
  return kernels.table == nullptr ? nullptr : &kernels;
}

void DeviceCall::enqueue(const std::function<void(void* stream)>& launch) const {
  try {
    if (kernels_.enqueue) {
      kernels_.enqueue(device_, launch);
    } else {
      launch(nullptr);
    }
  } catch (const Error&) {
    throw;
  } catch (const std::runtime_error& error) {
    throw environment_error("device {}: {}", device_.str(), error.what())
        .with_hint("`alambic info` lists the devices; --device cpu works everywhere");
  }
}

std::string load_cuda_kernels(int device) {
  const std::string path = beside_this_library("libalambic_cuda.so");
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return fmt::format("no CUDA kernels of ours: {}", loader_error());
  const auto* table = static_cast<const DeviceTable*>(call(library, "alambic_device_table"));
  const void* rows = call(library, "alambic_device_rows");
  if (table == nullptr || rows == nullptr) {
    return "no CUDA kernels of ours: libalambic_cuda.so is another build's";
  }
  if (const char* fault = table->fault(device)) {
    return fmt::format("the CUDA kernels of this build cannot run on GPU {}: {}", device, fault);
  }
  use_device_kernels(
      at::kCUDA, {.table = table,
                  .rows = rows,
                  .shift = 0,
                  .enqueue = [](at::Device on, const std::function<void(void* stream)>& launch) {
                    const c10::impl::VirtualGuardImpl guard(on.type());
                    launch(guard.getStream(on).native_handle());
                  }});
  return "";
}

}  // namespace alambic::kernels
