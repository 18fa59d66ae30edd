// Whole commands in two and three processes against the same in one.
#include <gtest/gtest.h>

#include "tests/program/torch/ranks_fixture.h"

namespace alambic::ranks_test {
namespace {

using Json = nlohmann::ordered_json;

// Prevents a mean of the ranks' means, where the loss is over the tokens of all (the batch of 5
// does not divide evenly), and a rank's own random draws.
TEST_F(Ranks, DistillLikeOne) {
  expect_same_run([&](const std::string& out) { return distill(out, ""); });
}

TEST_F(Ranks, DistillAnAdapterLikeOne) {
  expect_same_run([&](const std::string& out) { return distill(out, "--lora-rank 2"); });
}

// Prevents advantages within a rank's part of a group, and scores in another order.
TEST_F(Ranks, LearnFromRewardsLikeOne) {
  expect_same_run([&](const std::string& out) {
    return distill(out,
                   "--objective 0.9*grpo+0.1*reverse_kl --reward 'regex:[0-4]' "
                   "--num-generations 3 --micro-batch-size 2");
  });
}

TEST_F(Ranks, ReadOneTeacherCache) {
  expect_same_run([&](const std::string& out) {
    return with_options(distill(out, ""), "--data " + at("pairs.jsonl") + " --lmbda 0 ") +
           "--teacher-cache " + at("cache-" + out);
  });
}

TEST_F(Ranks, TrainLikeOneWithFewerRowsThanRanks) {
  expect_same_run([&](const std::string& out) {
    return with_options(train(out, ""), "--batch-size 2 --valid-data " + at("pairs.jsonl") +
                                            " --valid-every 2 --load-best ");
  });
}

// Prevents a resumed job that is another one, on as many ranks or on more.
TEST_F(Ranks, ResumeOnAnotherNumber) {
  const std::string options = "--save-every 1 --max-steps ";
  ASSERT_EQ(alambic(with_options(distill("whole", ""), options + "6")).code, 0);
  const std::string first =
      with_options(distill("parts", ""), options + "3") + " --lr-schedule constant";
  const std::string rest = with_options(distill("parts", ""), options + "6") +
                           " --lr-schedule constant --resume --allow-change";
  const Outcome begun = launch(2, first);
  ASSERT_EQ(begun.code, 0) << begun.text;
  const Outcome ended = launch(3, rest);
  ASSERT_EQ(ended.code, 0) << ended.text;
  const std::string whole =
      with_options(distill("whole", ""), options + "6") + " --lr-schedule constant --overwrite";
  ASSERT_EQ(alambic(whole).code, 0);
  EXPECT_LT(difference("whole", "parts"), rounding);
  EXPECT_EQ(read_file(folder / "whole/samples.jsonl"), read_file(folder / "parts/samples.jsonl"));
}

// Prevents masters and moments that are lost where each rank has a part of them.
TEST_F(Ranks, OfAsManyResumeToTheByte) {
  const auto command = [&](const std::string& out, const std::string& steps) {
    return with_options(distill(out, ""), "--max-steps " + steps) +
           " --save-every 1 --dtype bfloat16 --lr-schedule constant";
  };
  const Outcome whole = launch(2, command("whole", "6"));
  ASSERT_EQ(whole.code, 0) << whole.text;
  ASSERT_EQ(launch(2, command("parts", "3")).code, 0);
  const Outcome rest = launch(2, command("parts", "6") + " --resume --allow-change");
  ASSERT_EQ(rest.code, 0) << rest.text;
  for (const char* file : {"model/model.safetensors", "samples.jsonl",
                           "checkpoints/step-00000006/optimizer-00001-of-00002.safetensors",
                           "checkpoints/step-00000006/model-00002-of-00002.safetensors"}) {
    EXPECT_EQ(read_file(folder / "whole" / file), read_file(folder / "parts" / file)) << file;
  }
}

// Prevents a job that hangs, or that says nothing of the rank that failed.
TEST_F(Ranks, EndWhereOneIsKilled) {
  const std::string out = at("killed");
  const std::string command = kProgram + " launch --nproc-per-node 2 " +
                              with_options(distill("killed", ""), "--max-steps 100000 ") +
                              " --save-every 1";
  const Outcome outcome = shell(command + " & p=$!; until [ -d " + out +
                                "/checkpoints/step-00000002 ]; do sleep 0.05; "
                                "done; kill -9 $(pgrep -P $p | tail -1); wait $p");
  EXPECT_EQ(outcome.code, 128 + 9) << outcome.text;
  EXPECT_NE(outcome.text.find("rank 1 ended with signal 9"), std::string::npos) << outcome.text;
  const Outcome resumed =
      launch(2, with_options(distill("killed", ""), "--max-steps 100000 ") +
                    " --save-every 1 --resume --allow-change --max-seconds 0.01");
  EXPECT_EQ(resumed.code, 0) << resumed.text;
}

// Prevents SIGTERM, which a scheduler sends, as a failure.
TEST_F(Ranks, StopAndSaveWhenAsked) {
  const std::string out = at("stopped");
  const std::string command = kProgram + " launch --nproc-per-node 2 " +
                              with_options(distill("stopped", ""), "--max-steps 100000 ");
  const Outcome outcome = shell(command + " & p=$!; until [ -s " + out +
                                "/metrics.jsonl ]; do sleep 0.05; done; kill "
                                "$p; wait $p");
  EXPECT_EQ(outcome.code, 75) << outcome.text;
  EXPECT_TRUE(fs::exists(out + "/checkpoints")) << outcome.text;
}

TEST_F(Ranks, RefuseWhatCannotBe) {
  const Outcome nothing = alambic("launch --nproc-per-node 2");
  EXPECT_EQ(nothing.code, 2) << nothing.text;
  const Outcome other = alambic("launch --nproc-per-node 2 eval --model m");
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.text.find("cannot run `eval`"), std::string::npos) << other.text;
  const Outcome missing = launch(
      2, "train --model " + at("nothing") + " --data " + at("pairs.jsonl") + " --out " + at("out"));
  EXPECT_EQ(missing.code, 2) << missing.text;
  const Outcome half = shell("RANK=0 " + kProgram + " " + train("half", ""));
  EXPECT_EQ(half.code, 2);
  EXPECT_NE(half.text.find("WORLD_SIZE"), std::string::npos) << half.text;
}

}  // namespace
}  // namespace alambic::ranks_test
