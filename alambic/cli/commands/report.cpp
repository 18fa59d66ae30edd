#include "alambic/base/log.h"
#include "alambic/cli/commands/report_options.h"
#include "alambic/cli/run.h"
#include "alambic/report/html.h"
#include "alambic/report/run_files.h"
#include "alambic/report/run_folder.h"

namespace alambic {

int run(const ReportOptions& options) {
  const std::vector<fs::path> folders(options.runs.begin(), options.runs.end());
  ReportInput input =
      folders.size() == 1 ? read_run_folder(folders.front()) : read_run_folders(folders);
  if (!options.title.empty()) input.title = options.title;
  const fs::path out =
      options.out.empty() ? folders.front() / run_files::report : fs::path(options.out);
  write_report(out, input);
  say("wrote {}", out.string());
  return 0;
}

}  // namespace alambic
