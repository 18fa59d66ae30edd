#include "alambic/objective/cuda/rows.h"

namespace alambic::device {

const DeviceRows& rows() {
  static const DeviceRows table = {.layout = device_rows_layout,
                                   .divergence = divergence_rows,
                                   .cross_entropy = cross_entropy_rows};
  return table;
}

}  // namespace alambic::device
