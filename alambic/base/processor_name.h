#pragma once

#include <string>

namespace alambic {

/// "Intel(R) Xeon(R) …", as /proc/cpuinfo has it; "" where the kernel names none.
std::string processor_name();

}  // namespace alambic
