#include "alambic/scale/device_kind.h"

#include "alambic/base/error.h"
#include "alambic/base/names.h"

namespace alambic {

// H100 and H200: 790 of 989 TFLOP/s in bf16 were measured for both, fp8 taken as 1.5 times that;
// of NVLink's 450 GB/s an all-gather moves 400, of 400 Gb/s RDMA 45 GB/s, of PCIe 5 x16 55 GB/s.
// A100 and B200: the same shares of their data sheets (312 and 2,250 TFLOP/s; NVLink 300 and 900
// GB/s; RDMA 200 and 400 Gb/s).
const std::vector<DeviceKind>& device_kinds() {
  static const std::vector<DeviceKind> kinds = {
      {"a100", 80e9, 250e12, 250e12, 1.8e12, 250e9, 22e9, 25e9},
      {"h100", 80e9, 790e12, 1185e12, 3.0e12, 400e9, 45e9, 55e9},
      {"h200", 141e9, 790e12, 1185e12, 4.3e12, 400e9, 45e9, 55e9},
      {"b200", 192e9, 1600e12, 2400e12, 7.2e12, 800e9, 45e9, 55e9}};
  return kinds;
}

const DeviceKind& device_kind(const std::string& name) {
  std::vector<std::string> names;
  for (const DeviceKind& kind : device_kinds()) {
    if (kind.name == name) return kind;
    names.push_back(kind.name);
  }
  throw input_error("no figures of a device \"{}\" are known; known are {}", name, join(names));
}

}  // namespace alambic
