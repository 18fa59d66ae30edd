// What a device of a data centre can do, as far as the time of a step depends on it.
#pragma once

#include <string>
#include <vector>

namespace alambic {

/// Figures that large runs reach, below the makers' peaks: FLOP/s and bytes/s of one device.
struct DeviceKind {
  std::string name;
  double memory = 0;     ///< bytes
  double bf16 = 0;       ///< FLOP/s of large products
  double fp8 = 0;        ///< … in 8 bits; where there are none, that of bf16
  double bandwidth = 0;  ///< bytes/s of its own memory
  double link = 0;       ///< bytes/s of an all-gather between the devices of a node
  double network = 0;    ///< bytes/s to other nodes
  double host = 0;       ///< bytes/s out of the node's memory
};

/// a100, h100, h200, b200.
const std::vector<DeviceKind>& device_kinds();

/// The kind of that name; an input error lists those that are known.
const DeviceKind& device_kind(const std::string& name);

}  // namespace alambic
