#include "alambic/jobs/merge_adapter.h"

#include "alambic/cli/run.h"

namespace alambic {

int run(const MergeAdapterOptions& options) {
  jobs::merge_adapter(options);
  return 0;
}

}  // namespace alambic
