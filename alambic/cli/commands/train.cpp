#include "alambic/jobs/train.h"

#include "alambic/cli/commands/run_terminal.h"
#include "alambic/cli/run.h"

namespace alambic {

int run(const TrainOptions& options) {
  RunProgress progress("train", options.training);
  return tell(jobs::train(options, &progress));
}

}  // namespace alambic
