// PyTorch's own launcher, where it is.
#include "alambic/base/free_port.h"
#include "tests/program/torch/ranks_fixture.h"

namespace alambic::torchrun_test {
namespace {

// Prevents a job that only our own launcher can start: torchrun's agent serves the store itself.
// `torchrun` is a name of that module, here of the interpreter that ALAMBIC_ORACLE names.
TEST_F(Ranks, RunUnderTorchrun) {
  const char* named = std::getenv("ALAMBIC_ORACLE");
  const std::string python = named == nullptr ? "python3" : named;
  if (shell(python + " -c 'import torch.distributed.run'").code != 0) {
    GTEST_SKIP() << python << " has no torch; ALAMBIC_ORACLE names one that has";
  }
  const std::string command =
      distill("torchrun", "--zero-stage 3 --teacher-weights sharded --micro-batch-size 2");
  const Outcome outcome = shell(python +
                                " -m torch.distributed.run --no-python --nnodes 1 --nproc-per-node "
                                "2 --rdzv-backend c10d --rdzv-endpoint 127.0.0.1:" +
                                std::to_string(free_port()) + " " + kProgram + " " + command);
  ASSERT_EQ(outcome.code, 0) << outcome.text;
  ASSERT_EQ(alambic(distill("alone", "--micro-batch-size 2")).code, 0);
  EXPECT_LT(difference("alone", "torchrun"), rounding);
}

}  // namespace
}  // namespace alambic::torchrun_test
