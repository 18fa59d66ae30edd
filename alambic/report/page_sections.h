// The sections of a report, each a piece of HTML; empty when there is nothing to show.
#pragma once

#include <string>

#include "alambic/report/report.h"
#include "alambic/report/svg_chart.h"

namespace alambic {

std::string results_section(const ResultsTable& results);
std::string comparison_section(const ReportInput& input);
std::string charts_section(const ReportInput& input);
std::string phases_section(const ReportInput& input);
std::string config_section(const ReportInput& input);
/// What made each run's model, by its record.
std::string record_section(const ReportInput& input);
/// Completions to the same prompt side by side: early and late steps of one run, or the last of
/// each run. At most 12 prompts.
std::string samples_section(const ReportInput& input);

}  // namespace alambic
