#include "alambic/base/process_group.h"

#include <gtest/gtest.h>

#include <csignal>

#include "alambic/base/stopwatch.h"

namespace alambic::process_group_test {
namespace {

GroupResult run(const std::vector<std::string>& commands, double grace = 30) {
  std::vector<GroupProcess> processes;
  for (const std::string& command : commands) {
    processes.push_back({.words = {"/bin/sh", "-c", command},
                         .variables = {{"PLACE", std::to_string(processes.size())}},
                         .name = "p" + std::to_string(processes.size())});
  }
  return run_group(processes, 75, grace);
}

TEST(ProcessGroup, EndsWellWhereAllDo) {
  const GroupResult result = run({"exit 0", "test $PLACE = 1"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_FALSE(result.stopped);
}

TEST(ProcessGroup, OfWhichOneCanBeResumedIsStopped) {
  const GroupResult result = run({"exit 75", "exit 0"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(result.stopped);
}

// Prevents a group that hangs where one has failed, also where another ignores SIGTERM.
TEST(ProcessGroup, EndsWithTheFirstThatFails) {
  const Stopwatch watch;
  const GroupResult result =
      run({"sleep 60", "exit 5", "trap '' TERM; while true; do sleep 0.1; done"}, 0.2);
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_EQ(result.failed, 1U);
  EXPECT_LT(watch.seconds(), 20);
}

// Prevents half a minute until a group has ended in which one process is stopped.
TEST(ProcessGroup, WakesOneThatIsStoppedToEndIt) {
  const Stopwatch watch;
  EXPECT_EQ(run({"kill -STOP $$", "sleep 0.3; exit 5"}).exit_code, 5);
  EXPECT_LT(watch.seconds(), 20);
}

// Prevents a lost connection as the reason where the rank that was lost says why.
TEST(ProcessGroup, NamesTheOneThatKnowsWhy) {
  const GroupResult result = run({"exit 3", "sleep 0.3; exit 2", "kill -TERM $$"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.failed, 1U);
}

// Bug: a process that lost its connection to one that was killed was named where both were seen to
// have ended at a time.
TEST(ProcessGroup, NamesTheOneThatWasKilled) {
  const GroupResult result = run({"exit 3", "sleep 0.3; kill -KILL $$"});
  EXPECT_EQ(result.exit_code, 128 + SIGKILL);
  EXPECT_EQ(result.failed, 1U);
}

TEST(ProcessGroup, NamesASignal) {
  EXPECT_EQ(run({"kill -SEGV $$", "sleep 60"}, 0.2).exit_code, 128 + SIGSEGV);
}

TEST(ProcessGroup, PassesSignalsOn) {
  const GroupResult result = run({"trap 'exit 75' TERM; while true; do sleep 0.05; done",
                                  "sleep 0.5; kill -TERM $PPID; sleep 60"});
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.exit_code, 128 + SIGTERM);  // the second has no trap
}

}  // namespace
}  // namespace alambic::process_group_test
