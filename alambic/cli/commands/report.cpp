#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/base/output_place.h"
#include "alambic/cli/commands/report_options.h"
#include "alambic/cli/run.h"
#include "alambic/provenance/record_lines.h"
#include "alambic/provenance/run_record.h"
#include "alambic/report/html.h"
#include "alambic/report/run_files.h"
#include "alambic/report/run_folder.h"

namespace alambic {

int run(const ReportOptions& options) {
  const std::vector<fs::path> folders(options.runs.begin(), options.runs.end());
  const fs::path out =
      options.out.empty() ? folders.front() / run_files::report : fs::path(options.out);
  const bool own = options.out.empty() && is_file(out) && is_report(out);
  check_output_file("--out", out, options.overwrite || own);
  ReportInput input =
      folders.size() == 1 ? read_run_folder(folders.front()) : read_run_folders(folders);
  for (size_t i = 0; i < input.runs.size(); ++i) {
    if (const auto record = read_record(folders[i])) input.runs[i].record = record_lines(*record);
  }
  if (!options.title.empty()) input.title = options.title;
  write_report(out, input);
  say("wrote {}", out.string());
  return 0;
}

}  // namespace alambic
