// What libalambic_cuda.so shows to who loads it (kernels/device.h).
#include "alambic/kernels/cuda/kernels.h"

extern "C" [[gnu::visibility("default")]] const void* alambic_device_table() {
  return &alambic::kernels::device::table();
}
