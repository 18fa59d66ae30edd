// Kernels of accelerators: who has them for a type of device, and calls of them with tensors.
#pragma once

#include <functional>
#include <string>
#include <type_traits>

#include "alambic/kernels/device_table.h"
#include "alambic/tensor/tensor.h"

namespace alambic::kernels {

/// What there is for one type of device.
struct DeviceKernels {
  using Enqueue = std::function<void(at::Device, const std::function<void(void* stream)>& launch)>;

  const DeviceTable* table = nullptr;
  const void* rows = nullptr;  ///< its DeviceRows (objective/device_rows.h)
  /// Bytes from a tensor's address to where kernels find its numbers: 0, but for a simulated
  /// device.
  std::ptrdiff_t shift = 0;
  Enqueue enqueue = {};  ///< calls `launch` with the device's current stream; empty: with null
};

/// From now on these are the kernels of devices of that type; a null table: none.
void use_device_kernels(at::DeviceType type, const DeviceKernels& kernels);

/// Null: the device has none, and tensor operations do the work.
const DeviceKernels* device_kernels(at::Device device);

/// Loads libalambic_cuda.so for the GPU of this number; after libtorch_cuda.so. Empty, or why there
/// are no kernels, for a warning: without them everything works, slower.
std::string load_cuda_kernels(int device);

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
