// What libraries and tests give for one type of device: kernels, graphs, a transport.
#pragma once

#include <array>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// One `T` for each type of device, as `T` is by itself where nobody has given another.
template <class T>
class ByDeviceType {
 public:
  T& operator[](at::DeviceType type) { return of_type_.at(static_cast<size_t>(type)); }

 private:
  std::array<T, static_cast<size_t>(at::COMPILE_TIME_MAX_DEVICE_TYPES)> of_type_ = {};
};

}  // namespace alambic
