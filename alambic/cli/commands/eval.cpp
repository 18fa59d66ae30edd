#include <fmt/core.h>

#include <cstdio>
#include <optional>

#include "alambic/base/progress.h"
#include "alambic/cli/run.h"
#include "alambic/jobs/evaluation.h"

namespace alambic {

int run(const EvalOptions& options) {
  std::optional<Progress> progress;
  const Metrics figures =
      jobs::evaluate(options, [&](const EngineProgress& done, int64_t completions) {
        if (!progress) progress.emplace("eval", completions);
        progress->update(done.completions_done, "generate", fmt::format("{} tokens", done.tokens));
        if (done.completions_done == completions) progress->finish();
      });
  if (options.json) {
    Json json;
    for (const auto& [name, value] : figures) json[name] = value;
    std::puts(json.dump().c_str());
    return 0;
  }
  for (const auto& [name, value] : figures) std::printf("%-16s %.6g\n", name.c_str(), value);
  return 0;
}

}  // namespace alambic
