// An accelerator without one, on libtorch's PrivateUse1 key. Device memory is one file mapped
// twice: without any access where tensors point, so that host code which touches a device tensor
// dies of SIGSEGV, and readable for the "kernels", which are those of the CPU on views of it. What
// is allocated is filled with NaN. A copy that does not block runs on a worker of its stream a
// moment later, so that a wait which is missing shows.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace alambic::simulated {

inline constexpr auto kType = c10::DeviceType::PrivateUse1;
inline const c10::Device kDevice{kType, 0};

/// Registers allocator, guard, hooks and operators, and lets `--device simulated` choose it. Before
/// the first device tensor; again it does nothing.
void install();

/// Bytes that may be allocated at a time; what is allocated above it stays. 0: all there is.
void set_memory(size_t bytes);

/// The device tensor's numbers as a CPU tensor that shares its memory: what a kernel may touch.
at::Tensor host_view(const at::Tensor& device_tensor);

/// A CPU tensor's numbers in the device's memory, as an operator's result: no upload.
at::Tensor result_of(const at::Tensor& on_host);

/// What ran since the last call.
struct Counts {
  int64_t operators = 0;  ///< launches on a GPU, operators and kernels of ours: views are none,
                          ///< copies within the device are
  int64_t uploads = 0;    ///< copies from the host
  int64_t reads = 0;      ///< copies to the host, scalars, and operators that wait for a size
  int64_t bytes = 0;      ///< of the copies in both directions
};
Counts take_counts();

/// Counts launches of kernels that are no operators.
void count_kernels(int64_t launches);

/// Counts a launch of the operator that libtorch calls so ("aten::mul.out").
void count_operator(const std::string& name);

/// Operators that ran since install(), as libtorch calls them, with how often.
std::map<std::string, int64_t> operators_run();

}  // namespace alambic::simulated
