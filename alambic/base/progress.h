// One line at the bottom of the terminal that says how far a long command is.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace alambic {

struct ProgressState {
  std::string title;
  std::string phase = {};    ///< current activity: "generate", "grade", "learn"
  std::string details = {};  ///< "12,345 tok/s · loss 1.234"
  int64_t done = 0;
  int64_t total = 0;        ///< 0 when not known: no bar, no time left
  double elapsed = 0;       ///< seconds
  double seconds_left = 0;  ///< not finite when not known
};

struct ProgressStyle {
  int width = 80;  ///< columns; the line never has more
  bool color = false;
  bool utf8 = true;
  bool bar = true;  ///< false: a percentage in its place
};

/// The line, without a newline and at most `style.width` columns wide. What does not fit is left
/// out: first the bar, then the details, then the phase; what is still too long is cut.
std::string format_progress(const ProgressState& state, const ProgressStyle& style);

/// Draws on stderr, at most ten times a second. When stderr is not a terminal (or TERM is "dumb")
/// it writes a plain line once both 5 seconds and 5 % of the work have passed since the last one,
/// and a last line at the end. Honors NO_COLOR.
class Progress {
 public:
  /// `start` is the work already done when a run is resumed: the time left counts from there.
  Progress(std::string title, int64_t total, int64_t start = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(int64_t done, std::string_view phase, std::string details);
  /// Leaves the last state on the screen and moves to a new line. Repeating it does nothing.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void draw();
  bool due() const;

  ProgressState state_;
  int64_t start_;
  bool terminal_;
  bool drawn_ = false;
  bool finished_ = false;
  Clock::time_point began_ = Clock::now();
  Clock::time_point last_draw_ = Clock::now();
  int64_t last_done_;
};

}  // namespace alambic
