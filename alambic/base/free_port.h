#pragma once

#include <cstdint>

namespace alambic {

/// A TCP port of this machine's loopback that nothing listens at, for processes that are started
/// now. An environment error where there is none.
int64_t free_port();

}  // namespace alambic
