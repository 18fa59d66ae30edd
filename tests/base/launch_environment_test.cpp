#include "alambic/base/launch_environment.h"

#include <gtest/gtest.h>

#include <map>

#include "alambic/base/error.h"

namespace alambic::launch_environment_test {
namespace {

using Pairs = std::map<std::string, std::string>;

LaunchEnvironment place_of(const Pairs& variables) {
  return launch_environment([&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

TEST(LaunchEnvironment, IsAloneWhereNobodySays) {
  const LaunchEnvironment place = place_of({});
  EXPECT_EQ(place.size, 1);
  EXPECT_EQ(place.source, "");
}

// Prevents a batch script of Slurm, which is one process and has SLURM_NTASKS, from waiting for
// others; and salloc's shell.
TEST(LaunchEnvironment, OfABatchScriptIsAlone) {
  EXPECT_EQ(place_of({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}, {"SLURM_JOB_ID", "7"}}).size,
            1);
}

TEST(LaunchEnvironment, OfTorchrun) {
  const LaunchEnvironment place = place_of({{"RANK", "9"},
                                            {"WORLD_SIZE", "16"},
                                            {"LOCAL_RANK", "1"},
                                            {"LOCAL_WORLD_SIZE", "8"},
                                            {"MASTER_ADDR", "node0"},
                                            {"MASTER_PORT", "1234"},
                                            {"TORCHELASTIC_RESTART_COUNT", "2"},
                                            {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                            {"SLURM_PROCID", "3"},
                                            {"SLURM_STEP_NUM_TASKS", "4"}});
  EXPECT_EQ(place.rank, 9);
  EXPECT_EQ(place.size, 16);
  EXPECT_EQ(place.local_rank, 1);
  EXPECT_EQ(place.local_size, 8);
  EXPECT_EQ(place.host, "node0");
  EXPECT_EQ(place.port, 1234);
  EXPECT_EQ(place.attempt, 2);
  EXPECT_TRUE(place.agent_store);
  EXPECT_EQ(place.source, "torchrun");
}

// Prevents the login node (SLURM_LAUNCH_NODE_IPADDR) as the meeting place, and one port for two
// jobs on a machine.
TEST(LaunchEnvironment, OfAStepOfSlurm) {
  const LaunchEnvironment place = place_of({{"SLURM_PROCID", "5"},
                                            {"SLURM_STEP_NUM_TASKS", "8"},
                                            {"SLURM_LOCALID", "1"},
                                            {"SLURM_STEP_TASKS_PER_NODE", "4(x2)"},
                                            {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.1"},
                                            {"SLURM_STEP_NODELIST", "gpu[07-08]"},
                                            {"SLURM_JOB_ID", "150123"}});
  EXPECT_EQ(place.rank, 5);
  EXPECT_EQ(place.local_size, 4);
  EXPECT_EQ(place.host, "gpu07");
  EXPECT_EQ(place.port, 10123);
}

TEST(LaunchEnvironment, OfMpi) {
  const LaunchEnvironment open = place_of({{"OMPI_COMM_WORLD_RANK", "1"},
                                           {"OMPI_COMM_WORLD_SIZE", "2"},
                                           {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                                           {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}});
  EXPECT_EQ(open.rank, 1);
  EXPECT_EQ(open.host, "127.0.0.1");
  const LaunchEnvironment other = place_of({{"PMI_RANK", "0"}, {"PMI_SIZE", "3"}});
  EXPECT_EQ(other.size, 3);
  EXPECT_EQ(other.port, 29500);
}

TEST(LaunchEnvironment, ThatSaysHalfIsRefused) {
  const std::map<std::string, Pairs> refused = {
      {"WORLD_SIZE is set and RANK is not", {{"WORLD_SIZE", "2"}}},
      {"RANK is set and WORLD_SIZE is not", {{"RANK", "0"}}},
      {"RANK is \"first\"", {{"RANK", "first"}, {"WORLD_SIZE", "2"}}},
      {"RANK is \"-1\"", {{"RANK", "-1"}, {"WORLD_SIZE", "2"}}},
      {"WORLD_SIZE is \"0\"", {{"RANK", "0"}, {"WORLD_SIZE", "0"}}},
      {"RANK 2 of WORLD_SIZE 2", {{"RANK", "2"}, {"WORLD_SIZE", "2"}}},
      {"says 4 local processes of WORLD_SIZE 2",
       {{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"LOCAL_RANK", "0"}, {"LOCAL_WORLD_SIZE", "4"}}},
      {"OMPI_COMM_WORLD_RANK is set and OMPI_COMM_WORLD_SIZE is not",
       {{"OMPI_COMM_WORLD_RANK", "1"}}},
      {"PMI_SIZE is set and PMI_RANK is not", {{"PMI_SIZE", "2"}}},
      {"MASTER_PORT is \"99999\"", {{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_PORT", "99999"}}},
      {"MASTER_ADDR does not say",
       {{"RANK", "0"}, {"WORLD_SIZE", "16"}, {"LOCAL_RANK", "0"}, {"LOCAL_WORLD_SIZE", "8"}}},
  };
  for (const auto& [text, variables] : refused) {
    try {
      place_of(variables);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    }
  }
}

TEST(SlurmHosts, FirstOfAList) {
  EXPECT_EQ(first_slurm_host("n1"), "n1");
  EXPECT_EQ(first_slurm_host("n1,n2"), "n1");
  EXPECT_EQ(first_slurm_host("n[03-05,9],m1"), "n03");
  EXPECT_EQ(first_slurm_host("rack[1-2]n[03-04]x"), "rack1n03x");
  EXPECT_EQ(first_slurm_host("a[7]"), "a7");
}

}  // namespace
}  // namespace alambic::launch_environment_test
