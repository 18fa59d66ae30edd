#include "alambic/dist/rank_watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "alambic/base/files.h"
#include "alambic/base/launch_environment.h"
#include "alambic/base/temporary_folder.h"
#include "tests/dist/rank_processes.h"

namespace alambic::rank_watch_test {
namespace {

// Prevents a job that waits for half an hour for a rank that computes for ever, and then blames
// whoever waited.
TEST(RankWatch, NamesTheRankThatHangsOutsideOfCollectives) {
  EXPECT_EQ(run_ranks(2, "DISABLED_Rank.HangsAlone").exit_code, 3);
}

TEST(DISABLED_Rank, HangsAlone) {
  const World world(launch_environment(), 60);
  RankWatch watch(world, 0.6, [](const std::string& sentence) {
    const bool right = sentence.find("rank 1 of 2 hangs") != std::string::npos &&
                       sentence.find("step 3, generate") != std::string::npos;
    ::_exit(right ? 3 : 4);
  });
  world.on_message([&](const std::string& doing, MessageEvent event) { watch.see(doing, event); });
  watch.at(2, "generate");
  if (world.rank() == 1) std::this_thread::sleep_for(std::chrono::seconds(20));
  world.wait_for_all("testing");
  world.on_message({});
}

// Prevents ranks that wait for ever behind a cut link: the store's client has no limit of its own.
// A stopped rank 0, which serves the store, answers as little as a machine that is gone.
TEST(RankWatch, EndsARankThatNobodyAnswers) {
  const TemporaryFolder folder;
  const std::string pid_file = (folder.path() / "pid").string();
  EXPECT_EQ(run_ranks(2, "DISABLED_Rank.LosesItsStore", {{"ALAMBIC_TEST_PID", pid_file}}).exit_code,
            3);
}

TEST(DISABLED_Rank, LosesItsStore) {
  const World world(launch_environment(), 60);
  const std::string pid_file = environment_variable("ALAMBIC_TEST_PID").value();
  if (world.rank() == 0) write_file(pid_file, std::to_string(::getpid()));
  RankWatch watch(world, 0.6, [&](const std::string& sentence) {
    if (world.rank() == 0) return;                    // awake again
    ::kill(std::stoi(read_file(pid_file)), SIGCONT);  // or it would not hear that the job ends
    const bool right = sentence.find("rank 1 of 2 has had no answer from ") != std::string::npos &&
                       sentence.find("the link is cut") != std::string::npos;
    ::_exit(right ? 3 : 4);
  });
  watch.at(2, "learn");
  world.wait_for_all("testing");
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  if (world.rank() == 0) {
    ::raise(SIGSTOP);
    std::this_thread::sleep_for(std::chrono::seconds(1));  // rank 1 ends first
    ::_exit(3);
  }
  std::this_thread::sleep_for(std::chrono::seconds(20));
}

// Prevents a slow but living job that is ended: all ranks are longer in a phase than the limit.
TEST(RankWatch, LeavesRanksAloneThatGoOn) {
  EXPECT_EQ(run_ranks(2, "DISABLED_Rank.GoesOn").exit_code, 0);
}

TEST(DISABLED_Rank, GoesOn) {
  const World world(launch_environment(), 60);
  RankWatch watch(world, 1, [](const std::string&) { ::_exit(3); });
  world.on_message([&](const std::string& doing, MessageEvent event) { watch.see(doing, event); });
  for (int64_t step = 0; step < 2; ++step) {
    watch.at(step, "learn");
    std::this_thread::sleep_for(std::chrono::milliseconds(1200));
    world.wait_for_all("testing");
  }
  world.on_message({});
}

}  // namespace
}  // namespace alambic::rank_watch_test
