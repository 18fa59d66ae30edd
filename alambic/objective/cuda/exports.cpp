// What a library of kernels shows to who loads it (kernels/device.h), and tests to themselves.
#include "alambic/kernels/cuda/kernels.h"
#include "alambic/objective/cuda/rows.h"

extern "C" [[gnu::visibility("default")]] const alambic::kernels::DeviceTable*
alambic_device_table() {
  static const alambic::kernels::DeviceTable table = [] {
    alambic::kernels::DeviceTable all = alambic::kernels::device::table();
    all.rows = &alambic::device::rows();
    return all;
  }();
  return &table;
}
