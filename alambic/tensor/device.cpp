#include "alambic/tensor/device.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <variant>

#include "alambic/base/cpu_threads.h"
#include "alambic/base/error.h"
#include "alambic/base/free_memory.h"
#include "alambic/base/launch_environment.h"
#include "alambic/base/log.h"
#include "alambic/tensor/cuda_library.h"

namespace alambic {

at::Device (*simulated_device)() = nullptr;

namespace {

constexpr const char* kAdvice =
    "`alambic info` lists the GPUs and what could not be loaded, tools/setup --cuda fetches "
    "libtorch's CUDA libraries; --device cpu works everywhere (docs/gpu.md)";

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// What the driver shows to this process, for messages.
std::string visible(int64_t count) {
  const auto names = environment_variable("CUDA_VISIBLE_DEVICES");
  return fmt::format("{} GPU{} can be seen{}", count, count == 1 ? "" : "s",
                     names ? fmt::format(" with CUDA_VISIBLE_DEVICES={}", *names) : "");
}

// Why the GPU does not compute, where it does not: a driver that is too old, a card for which the
// library has no code, memory that another process has taken.
std::string problem_of(at::Device device) {
  try {
    c10::impl::VirtualGuardImpl(device.type()).setDevice(device);
    const Tensor two = at::ones({1}, at::TensorOptions().device(device)) * 2;
    return two.item<double>() == 2 ? "" : "it cannot multiply by 2";
  } catch (const c10::Error& error) {
    return first_line(error.what_without_backtrace());
  }
}

// The GPU to use, or why there is none. `index`: nothing for this process's own.
std::variant<at::Device, std::string> find_gpu(std::optional<int64_t> index) {
  if (const std::string problem = load_cuda_library(); !problem.empty()) return problem;
  const int64_t count = at::hasCUDA() ? c10::impl::VirtualGuardImpl(at::kCUDA).deviceCount() : 0;
  if (count == 0) return no_gpu_shown(std::getenv("CUDA_VISIBLE_DEVICES"));
  if (!index) {
    const int64_t own = launch_environment().local_rank;
    index = count == 1 ? 0 : own;  // a launcher may show each process its own GPU alone
  }
  if (*index >= count) return fmt::format("there is no GPU {}: {}", *index, visible(count));
  const at::Device device(at::kCUDA, static_cast<c10::DeviceIndex>(*index));
  const std::string problem = problem_of(device);
  if (problem.empty()) return device;
  return fmt::format("GPU {} does not compute: {}", *index, problem);
}

// N of "cuda:N".
std::optional<int64_t> index_of(const std::string& name) {
  const std::string_view prefix = "cuda:";
  if (!name.starts_with(prefix)) return {};
  int64_t index = -1;
  const char *begin = name.data() + prefix.size(), *end = name.data() + name.size();
  const auto [last, error] = std::from_chars(begin, end, index);
  if (error != std::errc() || last != end || index < 0 || index > 127) return {};
  return index;
}

}  // namespace

at::Device choose_device(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  if (name == "simulated" && simulated_device != nullptr) return simulated_device();
  const std::optional<int64_t> index = index_of(name);
  const bool automatic = name == "auto";
  if (!automatic && name != "cuda" && !index) {
    throw input_error("--device: expected cpu, cuda, cuda:N or auto, found '{}'", name)
        .with_hint("cuda:0 is the first GPU");
  }
  const std::variant<at::Device, std::string> found = find_gpu(index);
  if (const auto* device = std::get_if<at::Device>(&found)) return *device;
  const std::string& problem = std::get<std::string>(found);
  if (!automatic) {
    throw environment_error("cannot use --device {}: {}", name, problem).with_hint(kAdvice);
  }
  if (has_nvidia_driver()) warn("using the CPU: {}", problem);
  return at::kCPU;
}

at::ScalarType choose_dtype(DtypeChoice choice, at::Device device) {
  if (choice == DtypeChoice::float32) return at::kFloat;
  if (choice == DtypeChoice::bfloat16) return at::kBFloat16;
  return device.is_cpu() ? at::kFloat : at::kBFloat16;
}

void set_threads(int64_t threads) {
  at::set_num_threads(static_cast<int>(threads > 0 ? threads : default_threads()));
}

double free_device_memory(at::Device device) {
  if (device.is_cpu()) return free_memory();
  c10::DeviceAllocator& allocator = *at::getDeviceAllocator(device.type());
  const auto stats = allocator.getDeviceStats(device.index());
  const int64_t kept = stats.reserved_bytes[0].current - stats.allocated_bytes[0].current;
  return static_cast<double>(allocator.getMemoryInfo(device.index()).first) +
         static_cast<double>(std::max<int64_t>(kept, 0));
}

double whole_device_memory(at::Device device) {
  if (device.is_cpu()) {
    return static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
           static_cast<double>(::sysconf(_SC_PAGE_SIZE));
  }
  return static_cast<double>(
      at::getDeviceAllocator(device.type())->getMemoryInfo(device.index()).second);
}

double peak_memory(at::Device device) {
  if (device.is_cpu()) return 0;
  const auto stats = at::getDeviceAllocator(device.type())->getDeviceStats(device.index());
  return static_cast<double>(stats.allocated_bytes[0].peak);
}

void reset_peak_memory(at::Device device) {
  if (!device.is_cpu()) at::getDeviceAllocator(device.type())->resetPeakStats(device.index());
}

void release_cached_memory(at::Device device) {
  if (!device.is_cpu()) at::getDeviceAllocator(device.type())->emptyCache();
}

void synchronize(at::Device device) {
  if (!device.is_cpu()) {
    c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
  }
}

}  // namespace alambic
