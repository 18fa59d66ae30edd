#include "alambic/base/progress.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>

#include "alambic/base/environment.h"
#include "alambic/base/log.h"
#include "alambic/base/units.h"

namespace alambic {
namespace {

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

int columns(std::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(),
                                        [](char byte) { return !continues_character(byte); }));
}

std::string cut(std::string text, int width) {
  int seen = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (continues_character(text[i])) continue;
    if (seen++ == width) {
      text.resize(i);
      break;
    }
  }
  return text;
}

std::string repeat(std::string_view glyph, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += glyph;
  return text;
}

std::string bar(double share, int cells, const ProgressStyle& style) {
  if (!style.utf8) {
    const int full = static_cast<int>(share * (cells - 2));
    const int head = full < cells - 2;
    return "[" + repeat("=", full) + repeat(">", head) + repeat(" ", cells - 2 - full - head) + "]";
  }
  const int full = static_cast<int>(share * cells);
  const std::string done = repeat("━", full);
  const std::string rest = repeat("─", cells - full);
  if (!style.color) return done + rest;
  return "\033[32m" + done + "\033[2;39m" + rest + "\033[0m";
}

constexpr int min_bar = 8;
constexpr int max_bar = 40;

}  // namespace

std::string format_progress(const ProgressState& state, const ProgressStyle& style) {
  const auto gap = [](const std::string& text) { return text.empty() ? text : "  " + text; };
  const bool bounded = state.total > 0;
  const double share =
      bounded ? static_cast<double>(state.done) / static_cast<double>(state.total) : 0;
  std::string count = with_separators(state.done);
  if (bounded) count += "/" + with_separators(state.total);
  if (bounded && !style.bar) count += fmt::format(" {:.0f}%", 100 * share);
  std::string time = human_duration(state.elapsed);
  if (bounded && std::isfinite(state.seconds_left)) {
    time += fmt::format("  {} left", human_duration(state.seconds_left));
  }
  // The phase's name keeps a fixed room, so that the bar does not jump when the phase changes.
  std::string phase = state.phase.empty() ? "" : fmt::format("  {:<8}", state.phase);
  std::string details = gap(state.details);
  const int fixed = columns(state.title) + 2 + columns(count) + 2 + columns(time);
  const auto room = [&] { return style.width - fixed - columns(phase) - columns(details); };
  if (room() < 0) details.clear();
  if (room() < 0) phase.clear();

  std::string middle;
  const int cells = std::min(room() - 2, max_bar);
  if (bounded && style.bar && cells >= min_bar) {
    middle = "  " + bar(std::clamp(share, 0.0, 1.0), cells, style);
  }
  const std::string head = state.title + phase + "  " + count;
  const std::string tail = details + "  " + time;
  if (middle.empty()) return cut(head + tail, style.width);
  return head + middle + tail;
}

namespace {

bool speaks_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::optional<std::string> value = environment_variable(name);
    if (!value) continue;
    return value->find("UTF-8") != std::string::npos || value->find("utf8") != std::string::npos;
  }
  return false;
}

int terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

// One write per line, so that lines of other threads and processes do not mix with it.
void write_stderr(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

Progress::Progress(std::string title, int64_t total, int64_t start)
    : start_(start),
      terminal_(::isatty(STDERR_FILENO) != 0 && environment_variable("TERM") != "dumb"),
      last_done_(start) {
  state_.title = std::move(title);
  state_.total = total;
  state_.done = start;
}

// An error that stops the work before anything was drawn should not be announced by a line here.
Progress::~Progress() {
  if (drawn_) finish();
}

bool Progress::due() const {
  using std::chrono::milliseconds;
  const auto since = Clock::now() - last_draw_;
  if (terminal_) return !drawn_ || since >= milliseconds(100);
  return since >= milliseconds(5000) && (state_.done - last_done_) * 20 >= state_.total;
}

void Progress::update(int64_t done, std::string_view phase, std::string details) {
  state_.done = done;
  state_.phase = phase;
  state_.details = std::move(details);
  if (!finished_ && !is_follower() && due()) draw();
}

void Progress::draw() {
  last_draw_ = Clock::now();
  last_done_ = state_.done;
  drawn_ = true;
  state_.elapsed = std::chrono::duration<double>(last_draw_ - began_).count();
  const auto worked = static_cast<double>(state_.done - start_);
  const auto remaining = static_cast<double>(state_.total - state_.done);
  state_.seconds_left = worked > 0 ? state_.elapsed / worked * std::max(remaining, 0.0)
                                   : std::numeric_limits<double>::infinity();
  if (terminal_) {
    // A line as wide as the terminal would leave the cursor to wrap on some of them.
    const ProgressStyle style{.width = terminal_width() - 1,
                              .color = !environment_variable("NO_COLOR"),
                              .utf8 = speaks_utf8()};
    write_stderr("\r\033[K" + format_progress(state_, style));
  } else {
    const ProgressStyle plain{.width = 1 << 16, .color = false, .utf8 = true, .bar = false};
    write_stderr(format_progress(state_, plain) + "\n");
  }
}

void Progress::finish() {
  if (finished_ || is_follower()) return;
  finished_ = true;
  draw();
  if (terminal_) write_stderr("\n");
}

}  // namespace alambic
