// Memory that is left for this process.
#pragma once

#include "alambic/base/files.h"

namespace alambic {

/// Bytes of main memory that this process may still take: what the kernel calls available, or less
/// where a control group (a container, a batch system's job), of version 1 or 2, allows less. What
/// a group's files hold in the page cache and were not read lately counts as free. Infinite where
/// the system says nothing. `root` stands for "/" in tests.
double free_memory(const fs::path& root = "/");

}  // namespace alambic
