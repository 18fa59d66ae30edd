#pragma once

#include <string>

#include "alambic/tensor/machine_options.h"
#include "alambic/tensor/tensor.h"

namespace alambic {

/// The device of that name: "cpu"; "cuda:N", the N-th GPU from 0 of those that this process may see
/// (CUDA_VISIBLE_DEVICES); "cuda", of several the one with this process's number on its machine
/// (LOCAL_RANK); "auto", that GPU or, where it cannot be used, the CPU, with a warning where there
/// is a driver. An unknown name is an input error. A GPU that cannot be used is an environment
/// error that says what was looked for and what was found.
at::Device choose_device(const std::string& name);

/// Device that "simulated" stands for: set by a test program that has one, else null, and the name
/// is unknown.
extern at::Device (*simulated_device)();

/// automatic: float32 on a CPU (bfloat16 arithmetic is several times slower there), bfloat16 on a
/// GPU.
at::ScalarType choose_dtype(DtypeChoice choice, at::Device device);

/// Threads of every CPU kernel; 0: default_threads().
void set_threads(int64_t threads);

/// Bytes of memory on the device that nobody uses, what libtorch keeps for later tensors among
/// them: of a CPU the machine's (base/free_memory.h).
double free_device_memory(at::Device device);

/// Bytes of memory that the device has, or the CPU's machine.
double whole_device_memory(at::Device device);

/// Most bytes that tensors had on the device at a time since reset_peak_memory(); 0 for a CPU.
double peak_memory(at::Device device);
void reset_peak_memory(at::Device device);

/// Gives back what libtorch keeps for later tensors of the device.
void release_cached_memory(at::Device device);

/// Waits until the device has done all that it was given; at once for a CPU.
void synchronize(at::Device device);

}  // namespace alambic
