// Whole commands whose ranks divide the routed experts of their models.
#include <gtest/gtest.h>

#include "tests/program/torch/ranks_fixture.h"

namespace alambic::expert_parallel_program_test {
namespace {

struct ExpertParallelRanks : Ranks {
  void SetUp() override {
    Ranks::SetUp();
    for (const auto& [name, seed] : {std::pair("teacher", "4"), std::pair("student", "5")}) {
      fs::rename(folder / name, folder / ("dense_" + std::string(name)));
      init_tiny_mixtral(folder / name, seed);
    }
  }
  void refuse(const Outcome& outcome, const std::string& message) const {
    EXPECT_EQ(outcome.code, 2) << outcome.text;
    EXPECT_NE(outcome.text.find(message), std::string::npos) << outcome.text;
  }
  std::string with_dense(const std::string& command, const std::string& model) const {
    return with_options(command, "--" + model + " " + at("dense_" + model) + " ");
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
TEST_F(ExpertParallelRanks, ResumeOnAnotherNumber) {
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

TEST_F(ExpertParallelRanks, RefuseWhatCannotBe) {
  refuse(launch(3, distill("odd", "--zero-stage 3 --expert-parallel-size 3")),
         "--expert-parallel-size 3: the experts of the student cannot be divided so: its layers "
         "have 4 experts");
  refuse(alambic(distill("alone", divided)),
         "--expert-parallel-size 2 does not divide the 1 ranks");
  refuse(alambic(distill("whole", "--expert-parallel-size 2")),
         "--expert-parallel-size 2 has no effect: every rank has the whole student");
  refuse(alambic(distill("shards", divided + std::string("--shard-size 4"))),
         "--expert-parallel-size 2 is not --shard-size 4");
  refuse(alambic(distill("columns",
                         "--zero-stage 3 --expert-parallel-size 4 "
                         "--tensor-parallel-size 2")),
         "--expert-parallel-size 4 is not --tensor-parallel-size 2");
  refuse(alambic(with_dense(with_dense(distill("dense", divided), "student"), "teacher")),
         "neither the student nor a sharded teacher has routed experts");
}

}  // namespace
}  // namespace alambic::expert_parallel_program_test
