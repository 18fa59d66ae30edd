// Jobs of two processes on a device: each is that of one process on the CPU.
#include "alambic/base/launch_environment.h"
#include "tests/device/command_fixture.h"
#include "tests/device/simulated_transport.h"
#include "tests/device/test_device.h"
#include "tests/dist/rank_processes.h"

namespace alambic::ranks_test {
namespace {

constexpr const char* kCommand = "ALAMBIC_TEST_COMMAND";
constexpr const char* kTransport = "ALAMBIC_TEST_TRANSPORT";

struct RunsByRanks : DeviceCommands {
  // Two ranks share the device, as they would two devices: what one cannot read of the other's
  // memory comes by messages.
  static void same_run(const std::string& name, const std::string& both, const std::string& ranks,
                       bool by_devices = false) {
    succeed(distill(name + "_cpu", both, "cpu"));
    const std::string line = distill(name + "_ranks", both + " " + ranks, test_device_name());
    const GroupResult result =
        run_ranks(2, "DISABLED_OneOfRanks.RunsTheCommand",
                  {{kCommand, line}, {kTransport, by_devices ? "simulated" : ""}});
    ASSERT_EQ(result.exit_code, 0) << line;
    expect_equal_runs(name + "_cpu", name + "_ranks");
  }
};

TEST(DISABLED_OneOfRanks, RunsTheCommand) {
  const bool by_devices = environment_variable(kTransport).has_value();
  if (by_devices && is_simulated()) simulated::use_transport();
  const Outcome outcome = run_here(environment_variable(kCommand).value());
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_EQ(simulated::take_messages() > 0, by_devices && is_simulated());
}

// Prevents a gather or a sum that reads or writes a device's memory by the host, and layers that
// are used before their weights are there.
TEST_F(RunsByRanks, DivideStudentAndTeacher) {
  same_run("divided", "--activation-checkpointing", "--zero-stage 3 --teacher-weights sharded");
}

// Prevents weights that are read before a device has them, and gradients that are sent before.
TEST_F(RunsByRanks, SendFromDeviceToDevice) {
  same_run("sent", "--activation-checkpointing --valid-data " + at("rows.jsonl"),
           "--zero-stage 3 --teacher-weights sharded --tensor-parallel-size 2", true);
}

TEST_F(RunsByRanks, DivideTheOptimizer) {
  same_run("optimizer", "--ce-weight 0.1 --lmbda 0.5", "--zero-stage 1 --teacher-weights host");
}

TEST_F(RunsByRanks, TrainAnAdapterByRewards) {
  same_run("adapter",
           "--lora-rank 2 --objective 0.5*grpo+0.5*reverse_kl --num-generations 2"
           " --reward regex:[0-4]",
           "--zero-stage 2");
}

TEST_F(RunsByRanks, WriteTogether) {
  same_run("together", "", "--zero-stage 3 --tensor-parallel-size 2");
}

TEST_F(RunsByRanks, GradeOnARankOfItsOwn) { same_run("graded", "", "--teacher-ranks 1"); }

}  // namespace
}  // namespace alambic::ranks_test
