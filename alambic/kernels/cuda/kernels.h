// Entries of the DeviceTable; what each does is said there.
#pragma once

#include "alambic/kernels/device_table.h"

namespace alambic::kernels::device {

void rms_norm(const DeviceNorm& job, void* stream);
void rms_norm_grad(const DeviceNormGrad& job, void* stream);
void heads(const DeviceHeadParts& job, void* stream);
void gated(const DeviceGated& job, void* stream);
void gated_grad(const DeviceGated& job, void* stream);
void decode(const DeviceDecode& job, void* stream);
void sample(const DeviceSample& job, void* stream);
void adamw(const DeviceAdamW& job, void* stream);
void squares(const DeviceSquares& job, void* stream);
void clip(const DeviceClip& job, void* stream);
void unpack(const DeviceUnpack& job, void* stream);
void packed_few(const DevicePackedFew& job, void* stream);
void route(const DeviceRoute& job, void* stream);
void moe_gather(const DeviceMoe& job, void* stream);
void moe_combine(const DeviceMoe& job, void* stream);
void moe_combine_grad(const DeviceMoe& job, void* stream);
void dropout(const DeviceDropout& job, void* stream);

/// All of the above; rows of logits are another room's (objective/cuda/exports.cpp).
const DeviceTable& table();

}  // namespace alambic::kernels::device
