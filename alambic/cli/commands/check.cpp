#include "alambic/jobs/check.h"

#include <cstdio>

#include "alambic/base/error.h"
#include "alambic/cli/commands/check_options.h"
#include "alambic/cli/run.h"

namespace alambic {

int run(const CheckOptions& options) {
  const Findings findings = jobs::check(options);
  std::fputs(options.json ? (json_of(findings).dump(2) + "\n").c_str() : table(findings).c_str(),
             stdout);
  return static_cast<int>(verdict(findings) == Level::refused ? Exit::refused : Exit::done);
}

}  // namespace alambic
