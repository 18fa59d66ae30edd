#include "alambic/base/child_process.h"

#include <gtest/gtest.h>

#include <chrono>

namespace alambic::child_process_test {
namespace {

TEST(ChildProcess, GivesTheInputAndTakesTheOutput) {
  const ChildResult result =
      run_child("tr a-z A-Z; echo oh >&2; echo $WHO; exit 3", "hello\n", {}, {{"WHO", "me"}});
  EXPECT_EQ(result.output, "HELLO\nme\n");
  EXPECT_EQ(result.errors, "oh\n");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_FALSE(result.timed_out);
}

// A reader that never comes, or one that closes early, once stopped the writer: SIGPIPE or a wait.
TEST(ChildProcess, NeedNotReadItsInput) {
  const std::string large(1 << 22, 'x');
  EXPECT_EQ(run_child("echo 1", large, {}).output, "1\n");
  EXPECT_EQ(run_child("head -c 3", large, {}).output, "xxx");
  EXPECT_EQ(run_child("wc -c", large, {}).output, "4194304\n");
}

TEST(ChildProcess, IsKilledWithItsChildrenWhenItsTimeIsOver) {
  const auto start = std::chrono::steady_clock::now();
  for (const char* command : {"sleep 60", "sleep 60 & wait", "exec >&- 2>&-; sleep 60"}) {
    const ChildResult result = run_child(command, "", {.seconds = 0.2});
    EXPECT_TRUE(result.timed_out) << command;
    EXPECT_EQ(result.exit_code, 128 + 9);
  }
  // A child left behind would hold the output open for a minute.
  EXPECT_EQ(run_child("sleep 60 & echo 2", "", {.seconds = 5}).output, "2\n");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(ChildProcess, CannotFloodUs) {
  const ChildResult result = run_child("yes", "", {.output = 1000});
  EXPECT_TRUE(result.output_too_long);
  EXPECT_EQ(result.output.size(), 1000u);
  const ChildResult errors = run_child("head -c 100000 /dev/zero >&2", "", {});
  EXPECT_EQ(errors.exit_code, 0);
  EXPECT_EQ(errors.errors.size(), 1024u);
}

TEST(ChildProcess, SaysThatThereIsNoSuchCommand) {
  const ChildResult result = run_child("no_such_command_here", "", {});
  EXPECT_EQ(result.exit_code, 127);
  EXPECT_NE(result.errors.find("no_such_command_here"), std::string::npos);
}

TEST(ChildProcess, HasNoNetwork) {
  if (!can_take_network_away()) GTEST_SKIP() << "no namespaces on this machine";
  // The first two lines are headings.
  EXPECT_EQ(run_child("tail -n +3 /proc/net/dev | grep -vc ' lo:'", "", {}).output, "0\n");
  EXPECT_NE(run_child("tail -n +3 /proc/net/dev", "", {.network = true}).output, "");
}

}  // namespace
}  // namespace alambic::child_process_test
