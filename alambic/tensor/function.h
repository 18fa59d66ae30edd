// torch::autograd::Function, for operations with a backward pass of their own. Apart from tensor.h
// because few files need it and it would slow every other file down (docs/build.md).
#pragma once

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "alambic/tensor/tensor.h"
