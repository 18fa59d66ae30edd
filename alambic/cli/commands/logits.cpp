#include "alambic/jobs/logits.h"

#include "alambic/cli/run.h"

namespace alambic {

int run(const LogitsOptions& options) {
  jobs::write_logits(options);
  return 0;
}

}  // namespace alambic
