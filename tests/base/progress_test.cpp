#include "alambic/base/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "alambic/base/log.h"

namespace alambic::progress_test {
namespace {

ProgressState halfway() {
  return {.title = "distill",
          .phase = "learn",
          .details = "12,345 tok/s",
          .done = 150,
          .total = 300,
          .elapsed = 62,
          .seconds_left = 61};
}

TEST(FormatProgress, ShowsEverythingWhenThereIsRoom) {
  EXPECT_EQ(format_progress(halfway(), {.width = 80, .utf8 = false}),
            "distill  learn     150/300  [=========>         ]  12,345 tok/s  1:02  1:01 left");
}

TEST(FormatProgress, NeverExceedsTheWidthAndKeepsTheCountLongest) {
  ProgressState state = halfway();
  state.details = "12,345 tok/s · loss 1.234";
  for (int width = 0; width < 200; ++width) {
    const std::string line = format_progress(state, {.width = width});
    const auto columns =
        std::count_if(line.begin(), line.end(), [](char byte) { return (byte & 0xC0) != 0x80; });
    EXPECT_LE(columns, width) << line;
    // The details go before the phase does.
    EXPECT_TRUE(line.find("tok/s") == line.npos || line.find("learn") != line.npos) << line;
    if (width >= 34) {
      EXPECT_NE(line.find("150/300"), std::string::npos) << line;
      EXPECT_NE(line.find("1:01 left"), std::string::npos) << line;
    }
  }
}

TEST(FormatProgress, HasNeitherBarNorTimeLeftWithoutATotal) {
  EXPECT_EQ(format_progress({.title = "train", .done = 1234, .elapsed = 5, .seconds_left = 7},
                            {.width = 80}),
            "train  1,234  0:05");
}

TEST(FormatProgress, FillsTheBarAtTheEndAndNotBeyond) {
  ProgressState state = halfway();
  for (const int64_t done : {300, 310}) {
    state.done = done;
    const std::string line = format_progress(state, {.width = 80, .utf8 = false});
    EXPECT_NE(line.find("[===================]"), std::string::npos) << line;
  }
}

TEST(Progress, WritesOnlyTheLastLineOfQuickWorkToAFile) {
  testing::internal::CaptureStderr();
  {
    Progress progress("train", 1000);
    for (int i = 1; i <= 1000; ++i) progress.update(i, "learn", "loss 1.0");
    progress.finish();
    progress.finish();
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find('\033'), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  EXPECT_NE(text.find("1,000/1,000 100%"), std::string::npos) << text;
}

TEST(Progress, IsSilentWhenAnErrorStopsTheWorkBeforeTheFirstStep) {
  testing::internal::CaptureStderr();
  { Progress progress("train", 1000); }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

// Runs `work` with stderr on a pseudo-terminal of 60 columns; returns what reached it.
template <class Work>
std::string on_terminal(Work work) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) return "";
  // Nobody reads until the end: a bar that draws too often must fail the test, not block it.
  const int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY | O_NONBLOCK);
  const winsize size{.ws_row = 24, .ws_col = 60, .ws_xpixel = 0, .ws_ypixel = 0};
  ::ioctl(slave, TIOCSWINSZ, &size);
  const int saved = ::dup(STDERR_FILENO);
  ::dup2(slave, STDERR_FILENO);
  work();
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  std::clearerr(stderr);
  // Once the last writer has gone, reads return all that the kernel still holds and then EIO; a
  // single read may come before the kernel has carried the rest over.
  ::close(slave);
  std::string text;
  std::array<char, 4096> part{};
  for (ssize_t n = 0; (n = ::read(master, part.data(), part.size())) > 0;) {
    text.append(part.data(), static_cast<size_t>(n));
  }
  ::close(master);
  return text;
}

TEST(Progress, RedrawsRarelyAndNeverWrapsOnATerminal) {
  ::setenv("NO_COLOR", "1", 1);
  ::setenv("TERM", "xterm", 1);
  ::setenv("LC_ALL", "C", 1);
  const std::string text = on_terminal([] {
    Progress progress("train", 1000);
    for (int i = 1; i <= 1000; ++i) {
      progress.update(i, "learn", "1,234,567,890 tok/s and a very long story about the loss");
    }
    say("between");
    progress.finish();
  });
  ::unsetenv("NO_COLOR");
  ::unsetenv("LC_ALL");
  if (text.empty()) GTEST_SKIP() << "no pseudo-terminal here";
  EXPECT_LE(std::count(text.begin(), text.end(), '\033'), 5) << text;
  EXPECT_NE(text.find("\r\033[Kbetween\r\n"), std::string::npos) << text;
  EXPECT_NE(text.find("1,000/1,000"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("left\r\n")) << text;
  const size_t last = text.rfind("\033[K") + 3;
  EXPECT_LE(text.size() - last - 2, 59u) << text;
}

}  // namespace
}  // namespace alambic::progress_test
