#include "alambic/base/log.h"
#include "alambic/cli/run.h"
#include "alambic/jobs/serving.h"

namespace alambic {

int run(const ServeOptions& options) {
  jobs::serve(options, [&](const std::string& address) {
    say("{} answers; a page to try it is at {}/, SIGTERM or Ctrl-C stops it", address, address);
  });
  return 0;
}

}  // namespace alambic
