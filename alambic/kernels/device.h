// Kernels of accelerators: who has them for a type of device, and calls of them with tensors.
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <variant>

#include "alambic/kernels/device_table.h"
#include "alambic/tensor/tensor.h"

namespace alambic::kernels {

/// What there is for one type of device.
struct DeviceKernels {
  using Around = std::function<void(void* stream, const std::function<void(void* stream)>& launch)>;

  const DeviceTable* table = nullptr;
  /// Bytes from a tensor's address to where kernels find its numbers: 0, but for a simulated
  /// device.
  std::ptrdiff_t shift = 0;
  /// Calls `launch` with the stream, the device's current one; empty: so does the caller.
  Around around = {};
};

/// From now on these are the kernels of devices of that type; a null table: none.
void use_device_kernels(at::DeviceType type, const DeviceKernels& kernels);

/// Null: the device has none, and tensor operations do the work.
const DeviceKernels* device_kernels(at::Device device);

/// Makes the kernels of a device ready that models will be on: a GPU's are those of
/// libalambic_cuda.so beside this library. Where it cannot be used a warning says why and what is
/// slower. The environment variable ALAMBIC_KERNELS: "required" makes that an environment error,
/// "none" does without them.
void open_device_kernels(at::Device device);

/// The table of the library of that file for the device of this number, or why it cannot be used;
/// a relative path is one from this library's folder. The library stays loaded.
std::variant<const DeviceTable*, std::string> load_device_table(const std::string& path,
                                                                int device);

/// Whether kernels know this dtype.
inline bool has_device_number(const Tensor& t) {
  return t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16;
}

inline DeviceNumber device_number(const Tensor& t) {
  return t.scalar_type() == at::kFloat ? DeviceNumber::f32 : DeviceNumber::bf16;
}

/// The kernels that take these tensors: all on one device that has kernels, all float32 or
/// bfloat16. Where plain() holds, the CPU's table does.
template <class... Tensors>
const DeviceKernels* kernels_of(const Tensor& first, const Tensors&... others) {
  const DeviceKernels* kernels = device_kernels(first.device());
  if (kernels == nullptr || !has_device_number(first)) return nullptr;
  const bool all = ((others.device() == first.device() && has_device_number(others)) && ...);
  return all ? kernels : nullptr;
}

/// Calls of one device's kernels.
class DeviceCall {
 public:
  DeviceCall(const DeviceKernels& kernels, at::Device device)
      : kernels_(kernels), device_(device) {}

  const DeviceTable& table() const { return *kernels_.table; }

  /// Where kernels find the tensor's numbers; of an undefined one null.
  template <class T = void>
  T* at(const Tensor& t) const {
    if (!t.defined()) return nullptr;
    auto* bytes = static_cast<char*>(const_cast<void*>(t.const_data_ptr())) + kernels_.shift;
    return reinterpret_cast<T*>(bytes);
  }

  /// Enqueues the kernel. An environment error when the device refuses it.
  template <class Job>
  void run(void (*kernel)(const Job&, void*), const std::type_identity_t<Job>& job) const {
    enqueue([kernel, job](void* stream) { kernel(job, stream); });
  }

 private:
  void enqueue(const std::function<void(void* stream)>& launch) const;

  const DeviceKernels& kernels_;
  at::Device device_;
};

/// Of the device where a tensor is that kernels_of knows.
inline DeviceCall call_for(const Tensor& t) { return {*device_kernels(t.device()), t.device()}; }

}  // namespace alambic::kernels
