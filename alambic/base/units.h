// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace alambic {

/// 1234567 -> "1,234,567".
std::string with_separators(int64_t value);

/// Three significant digits and a decimal prefix: 12'345'678 -> "12.3 M", 950 -> "950".
std::string human_count(double value);

/// Three significant digits and a binary prefix: 1'610'612'736 -> "1.50 GiB", 512 -> "512 B".
std::string human_bytes(double bytes);

/// Whole seconds as "m:ss" or "h:mm:ss": 5 -> "0:05", 3723 -> "1:02:03". Negative or not finite:
/// "-:--".
std::string human_duration(double seconds);

}  // namespace alambic
