#pragma once

#include <cstdint>
#include <filesystem>

namespace alambic {

/// Threads that a computation has where nobody says: OMP_NUM_THREADS (of a list the first number),
/// else the cores that the process may run on and that the CPU quota of its container pays for
/// (control groups of version 1 and 2; a part of a core counts as one), at least 1. `root` is the
/// file system's, for tests.
int64_t default_threads(const std::filesystem::path& root = "/");

}  // namespace alambic
