// Entries of DeviceRows; what each does is said there.
#pragma once

#include "alambic/objective/device_rows.h"

namespace alambic::device {

void divergence_rows(const DeviceDivergence& job, void* stream);
void cross_entropy_rows(const DeviceCrossEntropy& job, void* stream);

/// Both of them.
const DeviceRows& rows();

}  // namespace alambic::device
