#include "tests/dist/rank_processes.h"

#include "alambic/base/free_port.h"

namespace alambic {

GroupResult run_ranks(int64_t size, const std::string& filter,
                      const std::vector<std::pair<std::string, std::string>>& variables) {
  const std::string port = std::to_string(free_port());
  std::vector<GroupProcess> ranks;
  for (int64_t rank = 0; rank < size; ++rank) {
    ranks.push_back({.words = {"/proc/self/exe", "--gtest_brief=1", "--gtest_filter=" + filter,
                               "--gtest_also_run_disabled_tests", "--gtest_output="},
                     .variables = {{"RANK", std::to_string(rank)},
                                   {"WORLD_SIZE", std::to_string(size)},
                                   {"LOCAL_RANK", std::to_string(rank)},
                                   {"LOCAL_WORLD_SIZE", std::to_string(size)},
                                   {"MASTER_ADDR", "127.0.0.1"},
                                   {"MASTER_PORT", port},
                                   {"OMP_NUM_THREADS", "1"},
                                   {"GTEST_OUTPUT", ""},
                                   {"GTEST_TOTAL_SHARDS", "1"},
                                   {"GTEST_SHARD_INDEX", "0"}},
                     .name = "rank " + std::to_string(rank)});
    auto& own = ranks.back().variables;
    own.insert(own.end(), variables.begin(), variables.end());
  }
  return run_group(ranks, 75);
}

}  // namespace alambic
