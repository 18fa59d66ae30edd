// What libalambic_cuda.so shows of this room to who loads it (kernels/device.h).
#include "alambic/objective/cuda/rows.h"

extern "C" [[gnu::visibility("default")]] const void* alambic_device_rows() {
  return &alambic::device::rows();
}
