// Reads what a report shows from run folders (design: docs/formats.md).
#pragma once

#include <vector>

#include "alambic/base/files.h"
#include "alambic/report/report.h"

namespace alambic {

/// metrics.jsonl must be there (it may be empty); samples.jsonl, results.json and config.toml may.
/// The title is the folder's name. Files that cannot be understood are input errors.
ReportInput read_run_folder(const fs::path& folder);

/// Several runs on one page. Their results tables are joined: columns by name, rows by name (the
/// first wins). Runs with the same folder name are called parent/name.
ReportInput read_run_folders(const std::vector<fs::path>& folders);

/// {"columns": ["accuracy", …], "rows": [{"name": "teacher", "accuracy": 0.9}, …], "note": "…",
/// "highlight": "distilled"}. Without "columns": the numeric keys of the rows in their order.
ResultsTable read_results(const fs::path& path);

}  // namespace alambic
