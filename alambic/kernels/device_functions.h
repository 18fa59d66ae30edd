// Functions of this room on an accelerator that has kernels (kernels/device.h): what rope.h and
// activation.h say of them, and dropout; differentiable once.
#pragma once

#include <array>

#include "alambic/kernels/activation.h"
#include "alambic/kernels/device.h"

namespace alambic::kernels::on_device {

/// cos and sin are float32; where they have fewer columns than half a head, its front turns.
Tensor rope(const Tensor& x_NHd, const Tensor& cos_Nd, const Tensor& sin_Nd);

/// `up_NF` may be undefined: the gate's value alone.
Tensor gated(Gate gate, const Tensor& gate_NF, const Tensor& up_NF);

/// Mask of nn/lora.cpp: element i is word i % 4 of philox({i / 4, words[2], words[3]}, {words[0],
/// words[1]}); 0 where that is below `least`, else `kept`.
struct DropoutMask {
  std::array<uint32_t, 4> words;
  uint64_t least;
  float kept;
};

/// x times the mask, rounded as a product with a mask of x's type.
Tensor dropout(const Tensor& x_ND, const DropoutMask& mask);

}  // namespace alambic::kernels::on_device
