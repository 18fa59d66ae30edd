#include "alambic/jobs/init.h"

#include "alambic/base/log.h"
#include "alambic/base/units.h"
#include "alambic/cli/run.h"

namespace alambic {

int run(const InitOptions& options) {
  const int64_t parameters = jobs::init(options);
  say("wrote {}: {} parameters", options.out, human_count(static_cast<double>(parameters)));
  return 0;
}

}  // namespace alambic
