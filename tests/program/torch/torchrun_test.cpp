// PyTorch's own launcher, where it is.
#include "alambic/base/free_port.h"
#include "tests/program/torch/ranks_fixture.h"

namespace alambic::torchrun_test {
namespace {

// Prevents a job that only our own launcher can start: torchrun's agent serves the store itself.
TEST_F(Ranks, RunUnderTorchrun) {
  const std::string torchrun = shell("command -v ${ALAMBIC_TORCHRUN:-torchrun} || echo none").text;
  if (torchrun.starts_with("none")) GTEST_SKIP() << "no torchrun in PATH or ALAMBIC_TORCHRUN";
  const std::string command =
      distill("torchrun", "--zero-stage 3 --teacher-weights sharded --micro-batch-size 2");
  const Outcome outcome = shell(torchrun.substr(0, torchrun.find('\n')) +
                                " --no-python --nnodes 1 --nproc-per-node 2 --rdzv-backend c10d "
                                "--rdzv-endpoint 127.0.0.1:" +
                                std::to_string(free_port()) + " " + kProgram + " " + command);
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  ASSERT_EQ(alambic(distill("alone", "--micro-batch-size 2")).code, 0);
  EXPECT_LT(difference("alone", "torchrun"), rounding);
}

}  // namespace
}  // namespace alambic::torchrun_test
