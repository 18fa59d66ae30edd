// Kernels of another build, as an upgrade that replaces half of an installation leaves them
// (tests/kernels/device_functions_test.cpp).
#include "alambic/kernels/device_table.h"

extern "C" const alambic::kernels::DeviceTable* alambic_device_table() {
  static const alambic::kernels::DeviceTable table = {.layout =
                                                          alambic::kernels::device_layout + 1};
  return &table;
}
