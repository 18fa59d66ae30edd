// The servers of a run, known again when it is resumed.
#pragma once

#include <vector>

#include "alambic/jobs/distill_options.h"
#include "alambic/jobs/run_folder.h"
#include "alambic/remote/server_record.h"

namespace alambic {

/// Those that a run's folder has kept; none where it has no remote.json. An input error where that
/// is damaged.
std::vector<ServerRecord> known_servers(const fs::path& run);

/// Holds what the probes have found against remote.json of a run that is resumed, and writes it
/// there. An input error where a server is no longer the teacher that it was, unless
/// --allow-change says so; where it only may be another one, a warning, or with --strict-teacher
/// that error.
void keep_known_servers(const RunFolder& folder, const std::vector<ServerRecord>& servers,
                        const DistillOptions& options);

}  // namespace alambic
