#include "alambic/jobs/check.h"

#include <cstdio>

#include "alambic/base/error.h"
#include "alambic/cli/commands/check_options.h"
#include "alambic/cli/run.h"
#include "alambic/report/html.h"
#include "alambic/scale/scale_page.h"

namespace alambic {

namespace {

int tell(const Findings& findings, const nlohmann::ordered_json& json, const std::string& more,
         bool as_json) {
  std::fputs(as_json ? (json.dump(2) + "\n").c_str() : (table(findings) + more).c_str(), stdout);
  return static_cast<int>(verdict(findings) == Level::refused ? Exit::refused : Exit::done);
}

int plan(const CheckOptions& options) {
  const ScaleJob job = scale_job(options, options.plan);
  const LayoutChoice choice = layout_choice(options);
  const ScalePlan plan = best_plan(job, choice);
  const Findings findings = findings_of(plan);
  nlohmann::ordered_json json = json_of(findings);
  json["plan"] = json_of(plan);
  if (!options.scale) return tell(findings, json, "", options.json);
  const std::vector<CurvePoint> curve = scale_curve(job, choice);
  json["scale"] = json_of(curve);
  if (!options.scale_report.empty()) {
    write_report(options.scale_report,
                 page_of(fmt::format("{} on many devices", job.student.name), curve));
  }
  return tell(findings, json, fmt::format("\n{}\n{}", table_of(curve), table_of(published_runs())),
              options.json);
}

}  // namespace

int run(const CheckOptions& options) {
  if (options.plan.world_size > 0) return plan(options);
  const Findings findings = jobs::check(options);
  return tell(findings, json_of(findings), "", options.json);
}

}  // namespace alambic
