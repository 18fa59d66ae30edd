// Whole commands whose ranks divide the routed experts of their models.
#include <gtest/gtest.h>

#include "tests/program/torch/ranks_fixture.h"

namespace alambic::expert_parallel_program_test {
namespace {

struct ExpertParallelRanks : Ranks {
  void SetUp() override {
    Ranks::SetUp();
    for (const auto& [name, seed] : {std::pair("teacher", "4"), std::pair("student", "5")}) {
      fs::remove_all(folder / name);
      init_tiny_mixtral(folder / name, seed);
    }
  }
  void refuse(const Outcome& outcome, const std::string& message) const {
    EXPECT_EQ(outcome.code, 2) << outcome.text;
    EXPECT_NE(outcome.text.find(message), std::string::npos) << outcome.text;
  }
};
struct ExpertParallelRanksSlow : ExpertParallelRanks {};

constexpr const char* divided = "--zero-stage 3 --expert-parallel-size 2 ";

// Prevents a validation in which rank 0 alone asks experts that other ranks have, and a model that
// is saved with the experts of one rank.
TEST_F(ExpertParallelRanks, DistillAndValidateLikeOne) {
  const std::string valid =
      "--micro-batch-size 2 --valid-every 2 --valid-data " + at("prompts.jsonl") + " ";
  expect_same_run(
      [&](const std::string& out) {
        return distill(out, valid + divided + "--teacher-weights sharded --tensor-parallel-size 2");
      },
      {2}, distill("alone", valid));
}

// Prevents a checkpoint that has the experts of some ranks, or moments of another expert, where a
// run goes on alone, and then by ranks again.
TEST_F(ExpertParallelRanksSlow, ResumeOnAnotherNumber) {
  const auto command = [&](const std::string& out, const std::string& steps,
                           const std::string& more) {
    return with_options(distill(out, more), "--save-every 1 --max-steps " + steps) +
           " --lr-schedule constant";
  };
  ASSERT_EQ(alambic(command("whole", "6", "")).code, 0);
  for (const auto& [steps, ranks] : {std::pair("2", 2), std::pair("4", 1), std::pair("6", 2)}) {
    const std::string part = command("parts", steps, ranks == 2 ? divided : "") +
                             (std::string(steps) == "2" ? "" : " --resume --allow-change");
    const Outcome outcome = ranks == 2 ? launch(2, part) : alambic(part);
    ASSERT_EQ(outcome.code, 0) << outcome.text;
  }
  EXPECT_LT(difference("whole", "parts"), rounding);
  EXPECT_EQ(read_file(folder / "whole/samples.jsonl"), read_file(folder / "parts/samples.jsonl"));
}

// Two copies of the student on four ranks.
TEST_F(ExpertParallelRanksSlow, TrainAndValidateLikeOne) {
  const std::string valid = " --valid-every 2 --load-best --valid-data " + at("pairs.jsonl");
  for (const char* stage : {"2", "3"}) {
    expect_same_run(
        [&](const std::string& out) {
          return train(out, valid + " --expert-parallel-size 2 --zero-stage " + stage);
        },
        {2, 4}, train("alone", valid));
    for (const char* out : {"alone", "ranks2", "ranks4"}) fs::remove_all(folder / out);
  }
}

// Prevents ranks of the teacher that make other numbers of passes where they divide its experts.
TEST_F(ExpertParallelRanksSlow, DistillWithRanksOfTheTeacherLikeOne) {
  expect_same_run(
      [&](const std::string& out) {
        return distill(out, std::string(divided) +
                                "--teacher-ranks 2 --teacher-weights sharded --micro-batch-size 2");
      },
      {4}, distill("alone", "--micro-batch-size 2"));
}

// What sizes and models are refused: tests/dist.
TEST_F(ExpertParallelRanks, RefuseWhatCannotBe) {
  refuse(alambic(distill("alone", divided)),
         "--expert-parallel-size 2 does not divide the 1 ranks");
  refuse(alambic(train("whole", "--expert-parallel-size 2")),
         "--expert-parallel-size 2 has no effect: every rank has the whole student");
}

}  // namespace
}  // namespace alambic::expert_parallel_program_test
