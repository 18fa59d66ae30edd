// metrics.jsonl as a chain: each line carries the SHA-256 of the line before as "previous", so that
// whoever knows where the log ended finds every later change of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/base/log_head.h"

namespace alambic {

/// Name of the field in a line.
inline constexpr const char* chain_field = "previous";

/// "previous" of the line after `head`; of the first line 64 zeros.
std::string chain_link(const LogHead& head);

/// Where the log in `path` stands, whether its chain holds or not.
LogHead log_head_of(const fs::path& path);

struct LogFault {
  int64_t line = 0;  ///< from 1
  std::string what;
};

/// The first fault of a log: a line that was edited, removed, inserted or swapped, a cut at its
/// end, lines behind it. `heads` are where it stood before (in checkpoints), `end` is where it
/// ended; without `end` its last line may be any and more may have followed. Input errors: a file
/// that cannot be read.
std::optional<LogFault> log_fault(const fs::path& path, const std::vector<LogHead>& heads,
                                  const std::optional<LogHead>& end);

}  // namespace alambic
