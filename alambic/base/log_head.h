#pragma once

#include <cstdint>
#include <string>

namespace alambic {

/// Where a chained log stands: enough to tell later whether a line of it was changed or cut off.
struct LogHead {
  int64_t lines = 0;
  std::string hash;  ///< SHA-256 of the last line, without its line break; "" of an empty log
};

}  // namespace alambic
