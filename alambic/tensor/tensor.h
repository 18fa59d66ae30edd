// The one door to libtorch, and the precompiled header of the torch rooms. Only this room,
// kernels/*.cpp and dist/*.cpp include libtorch by name; everybody else includes this file.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <torch/types.h>

namespace alambic {

using at::Tensor;

}  // namespace alambic
