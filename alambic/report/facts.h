// A run in a few numbers.
#pragma once

#include <string>
#include <vector>

#include "alambic/report/report.h"

namespace alambic {

struct Fact {
  std::string label, value;
};

/// Steps, time, tokens, the first and last value of the validation metrics that say most (of the
/// loss when there is none), peak memory: six at most. Empty for a run without metrics.
std::vector<Fact> facts_of(const ReportRun& run);

/// One sentence about one run or several.
std::string summary_of(const ReportInput& input);

struct PhaseTime {
  std::string name;
  double seconds = 0;
};

/// The sums of "<phase>_seconds" in the order of the file, and what they leave of "seconds" as
/// "other".
std::vector<PhaseTime> phase_times(const ReportRun& run);

}  // namespace alambic
