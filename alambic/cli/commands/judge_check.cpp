#include "alambic/jobs/judge_check.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/cli/run.h"

namespace alambic {
namespace {

void print_json(const JudgeReport& report) {
  nlohmann::ordered_json json = {{"completions", report.completions},
                                 {"dropped", report.dropped},
                                 {"mean_score", report.mean_score},
                                 {"worst_share", report.worst_share()},
                                 {"tricks", nlohmann::ordered_json::array()}};
  for (const TrickResult& trick : report.tricks) {
    json["tricks"].push_back({{"name", trick.name},
                              {"tried", trick.tried},
                              {"fooled", trick.fooled},
                              {"share", trick.share()},
                              {"dropped", trick.dropped},
                              {"mean_score", trick.mean_score}});
  }
  std::puts(json.dump().c_str());
}

void print_table(const JudgeReport& report) {
  std::printf("%-20s %8s %8s %8s %8s\n", "answer", "score", "fooled", "of", "dropped");
  std::printf("%-20s %8.3f %8s %8ld %8ld\n", "good", report.mean_score, "",
              static_cast<long>(report.completions), static_cast<long>(report.dropped));
  for (const TrickResult& trick : report.tricks) {
    std::printf("%-20s %8.3f %8ld %8ld %8ld\n", trick.name.c_str(), trick.mean_score,
                static_cast<long>(trick.fooled), static_cast<long>(trick.tried),
                static_cast<long>(trick.dropped));
  }
}

}  // namespace

int run(const JudgeCheckOptions& options) {
  const JudgeReport report = jobs::check_judge(options);
  options.json ? print_json(report) : print_table(report);
  if (!report.last_reason.empty()) warn("scores were dropped, the last: {}", report.last_reason);
  if (report.worst_share() <= options.threshold) return 0;
  say("refused: a worthless completion scores at least as high as the good one for {:.0f} % of the "
      "prompts, more than the {:.0f} % of --threshold",
      100 * report.worst_share(), 100 * options.threshold);
  return static_cast<int>(Exit::refused);
}

}  // namespace alambic
