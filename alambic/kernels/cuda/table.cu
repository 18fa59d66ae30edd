#include "alambic/kernels/cuda/kernels.h"
#include "alambic/kernels/cuda/simt.h"

namespace alambic::kernels::device {
namespace {

__global__ void nothing() {}

}  // namespace

const DeviceTable& table() {
  static const DeviceTable table = {.layout = device_layout,
                                    .name = simt::name,
                                    .fault = simt::fault<nothing>,
                                    .rms_norm = rms_norm,
                                    .rms_norm_grad = rms_norm_grad,
                                    .heads = heads,
                                    .gated = gated,
                                    .gated_grad = gated_grad,
                                    .decode = decode,
                                    .sample = sample,
                                    .adamw = adamw,
                                    .squares = squares,
                                    .clip = clip,
                                    .unpack = unpack,
                                    .packed_few = packed_few,
                                    .route = route,
                                    .moe_gather = moe_gather,
                                    .moe_combine = moe_combine,
                                    .moe_combine_grad = moe_combine_grad,
                                    .dropout = dropout,
                                    .rows = nullptr};
  return table;
}

}  // namespace alambic::kernels::device
