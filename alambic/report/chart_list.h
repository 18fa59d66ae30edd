// Charts of a report: the metrics of its runs, sorted into groups.
#pragma once

#include <string>
#include <vector>

#include "alambic/report/report.h"
#include "alambic/report/svg_chart.h"

namespace alambic {

struct ChartGroup {
  std::string title;
  std::vector<Chart> charts;
};

/// Every numeric metric except "step", "seconds" and the phases' "…_seconds" is in one chart.
/// "valid_x" is drawn over "x" when there is one. One run is drawn over steps; several over
/// seconds when all have them, with a color for each run.
std::vector<ChartGroup> charts_of(const ReportInput& input);

/// The large chart of a comparison: of the validation metrics that all runs have the one that says
/// most (`metric_rank`), else the loss; with the result of a row whose name starts with "teacher"
/// as a level. Nothing for one run.
std::optional<Chart> comparison_chart(const ReportInput& input);

}  // namespace alambic
