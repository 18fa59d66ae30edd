// Whether the student's completions are falling apart: signs in the figures of the steps.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "alambic/base/metrics.h"

namespace alambic {

/// Action at a sign of collapse. rollback: the run goes back to the newest checkpoint from
/// before the sign and ends with its weights. Going on from there would meet the same completions.
enum class OnCollapse { warn, stop, rollback };

struct CollapseSign {
  std::string text;   ///< the sign, in words
  int64_t since = 0;  ///< "step" of the first row of the window that shows it
};

/// Compares means over the last `window` steps that have a figure with those of the first `window`.
/// Signs, none before 2 · window steps:
///   length      completion_length more than doubled, to above 0.8 of `longest`
///   end         eos_share fell below half of a first share of at least 0.1
///   repetition  repetition rose by more than 0.3
///   overlap     agreement fell below half of the best mean so far
class CollapseWatch {
 public:
  /// `longest`: most tokens of a completion.
  explicit CollapseWatch(double longest, int64_t window = 10)
      : longest_(longest), window_(window) {}

  /// The figures of a finished step. Returns what is newly wrong; a sign that goes away and comes
  /// back is told again. Figures that are not finite are left out.
  std::vector<CollapseSign> see(const Metrics& row);

  int64_t window() const { return window_; }

 private:
  struct Series {
    std::deque<std::pair<int64_t, double>> last;  // steps and values
    double first = 0, now = 0, best = 0;          // means over `window` steps
    int64_t seen = 0;
    bool alarmed = false;
  };
  bool follow(Series& series, int64_t step, double value) const;

  double longest_;
  int64_t window_;
  std::map<std::string, Series> series_;
};

}  // namespace alambic
