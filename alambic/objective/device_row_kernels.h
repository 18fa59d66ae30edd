#pragma once

#include "alambic/kernels/device.h"
#include "alambic/objective/device_rows.h"

namespace alambic {

/// The kernels of rows of logits where these tensors are: on one device that has them, both
/// float32. Null: tensor operations do the work.
const DeviceRows* device_rows_of(const Tensor& logits_CV, const Tensor& others_CV);

}  // namespace alambic
