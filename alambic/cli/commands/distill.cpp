#include "alambic/jobs/distill.h"

#include "alambic/cli/commands/run_terminal.h"
#include "alambic/cli/run.h"

namespace alambic {

int run(const DistillOptions& options) {
  RunProgress progress("distill", options.training);
  return tell(jobs::distill(options, &progress));
}

}  // namespace alambic
