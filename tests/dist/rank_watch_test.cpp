#include "alambic/dist/rank_watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "alambic/base/launch_environment.h"
#include "tests/dist/rank_processes.h"

namespace alambic {
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
}  // namespace alambic
