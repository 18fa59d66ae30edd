// One self-contained HTML page about one run or several: no script, no network, no fonts.
#pragma once

#include <string>

#include "alambic/base/files.h"
#include "alambic/report/report.h"

namespace alambic {

/// The page. Every text of the input is escaped; a content policy in the page forbids scripts and
/// requests besides.
std::string render_report(const ReportInput& input);

/// Whether a file is a page that render_report made.
bool is_report(const fs::path& path);

/// Writes it atomically.
void write_report(const fs::path& path, const ReportInput& input);

}  // namespace alambic
