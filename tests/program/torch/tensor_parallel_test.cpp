// Whole commands whose ranks write completions together.
#include <gtest/gtest.h>

#include "tests/program/torch/ranks_fixture.h"

namespace alambic::tensor_parallel_program_test {
namespace {

struct TensorParallelRanks : Ranks {
  void refuse(const Outcome& outcome, const std::string& message) const {
    EXPECT_EQ(outcome.code, 2) << outcome.text;
    EXPECT_NE(outcome.text.find(message), std::string::npos) << outcome.text;
  }
};
struct TensorParallelRanksSlow : TensorParallelRanks {};

// Prevents a validation that one rank writes alone and the other waits for, teachers that are asked
// by a rank that has nothing to ask, and a student that is made whole for it.
TEST_F(TensorParallelRanks, DistillAndValidateLikeOne) {
  const std::string valid =
      "--micro-batch-size 2 --valid-every 2 --valid-data " + at("prompts.jsonl");
  expect_same_run(
      [&](const std::string& out) {
        return distill(
            out, valid + " --zero-stage 3 --teacher-weights sharded --tensor-parallel-size 2");
      },
      {2}, distill("alone", valid));
}

TEST_F(TensorParallelRanksSlow, TrainAndValidateLikeOne) {
  const std::string valid = " --valid-every 2 --valid-data " + at("held_out.jsonl");
  write_file(folder / "held_out.jsonl",
             R"({"prompt": "3 + 4 =", "completion": " 7", "answer": "7"})"
             "\n");
  for (const char* stage : {"1", "3"}) {
    expect_same_run(
        [&](const std::string& out) {
          return train(out, valid + " --tensor-parallel-size 2 --zero-stage " + stage);
        },
        {2}, train("alone", valid));
    fs::remove_all(folder / "alone");
    fs::remove_all(folder / "ranks2");
  }
}

TEST_F(TensorParallelRanks, RefuseWhatCannotBe) {
  refuse(launch(2, distill("odd", "--tensor-parallel-size 3")),
         "--tensor-parallel-size 3: a llama student cannot be divided so: its layers have 2 heads");
  refuse(alambic(distill("alone", "--tensor-parallel-size 2")),
         "--tensor-parallel-size 2 does not divide the 1 ranks");
  refuse(alambic(distill("given", "--tensor-parallel-size 2 --lmbda 0")),
         "--tensor-parallel-size 2 has no effect with --lmbda 0");
  refuse(alambic(distill("mixed", "--tensor-parallel-size 2 --teacher-mix 0.2")), "--teacher-mix");
  refuse(alambic(train("unread", "--tensor-parallel-size 2")),
         "--tensor-parallel-size needs --valid-data");
}

}  // namespace
}  // namespace alambic::tensor_parallel_program_test
