#pragma once

#include "alambic/base/files.h"
#include "alambic/remote/budget.h"

namespace alambic {

/// What the replies in a folder's journals (remote/journal.h) have cost, and how many there are.
/// Nothing is opened for writing; a missing folder has none.
struct JournalUsage {
  Usage usage;
  int64_t replies = 0;
};
JournalUsage journal_usage(const fs::path& folder);

}  // namespace alambic
