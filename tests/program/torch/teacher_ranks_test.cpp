// Whole commands whose teacher has processes of its own.
#include <gtest/gtest.h>

#include "tests/program/torch/ranks_fixture.h"

namespace alambic::teacher_ranks_test {
namespace {

using Json = nlohmann::ordered_json;

struct TeacherRanks : Ranks {
  // Expects exit code 3 of a run whose rank 2 of 3, the teacher's, gets this signal in its third
  // step.
  Outcome after_signal(const std::string& out, const std::string& signal) const {
    const std::string command =
        kProgram + " launch --nproc-per-node 3 " +
        with_options(distill(out, "--teacher-ranks 1"), "--max-steps 100000 ") +
        " --save-every 1 --rank-timeout 8";
    return shell(command + " & p=$!; until [ -d " + at(out) +
                 "/checkpoints/step-00000002 ]; do sleep 0.05; done; r=$(pgrep -P $p | tail -1); "
                 "kill -" +
                 signal + " $r; wait $p; c=$?; kill -9 $r 2>/dev/null; exit $c");
  }
};
struct TeacherRanksSlow : TeacherRanks {};

// Prevents a run that depends on where its teacher is, a validation that asks no teacher, and a
// record that does not say who did what.
TEST_F(TeacherRanks, DistillLikeOne) {
  const std::string valid = "--valid-every 2 --valid-data " + at("prompts.jsonl");
  expect_same_run(
      [&](const std::string& out) { return distill(out, valid + " --teacher-ranks 1 --profile"); },
      {2}, distill("alone", valid));
  const Json record = Json::parse(read_file(folder / "ranks2/provenance/record.json"));
  EXPECT_EQ(record["hardware"]["ranks"][0]["role"], "learner");
  EXPECT_EQ(record["hardware"]["ranks"][1]["role"], "teacher");
  EXPECT_GT(rows_of("ranks2").back()["teacher_rank_seconds"], 0);
  const std::string trace = read_file(folder / "ranks2/profile/rank-00001.json");
  EXPECT_NE(trace.find("\"grade\""), std::string::npos) << trace;
  EXPECT_EQ(trace.find("\"learn\""), std::string::npos);
}

// Prevents a checkpoint that only the same roles can go on from.
TEST_F(TeacherRanks, ResumeWithMoreOrNone) {
  const auto command = [&](const std::string& out, const std::string& steps,
                           const std::string& more) {
    return with_options(distill(out, ""), "--max-steps " + steps) +
           " --save-every 1 --lr-schedule constant " + more;
  };
  ASSERT_EQ(alambic(command("alone", "6", "")).code, 0);
  const Outcome begun = launch(2, command("parts", "2", "--teacher-ranks 1"));
  ASSERT_EQ(begun.code, 0) << begun.text;
  const Outcome more =
      launch(3, command("parts", "4", "--teacher-ranks 2 --resume --allow-change"));
  ASSERT_EQ(more.code, 0) << more.text;
  const Outcome none = alambic(command("parts", "6", "--resume --allow-change"));
  ASSERT_EQ(none.code, 0) << none.text;
  EXPECT_LT(difference("alone", "parts"), rounding);
  EXPECT_EQ(read_file(folder / "alone/samples.jsonl"), read_file(folder / "parts/samples.jsonl"));
}

// Prevents SIGTERM that ends the teacher, and a teacher that makes a failure of a stopped run.
TEST_F(TeacherRanks, StopAndSaveWhenAsked) {
  const std::string out = at("stopped");
  const std::string command =
      kProgram + " launch --nproc-per-node 2 " +
      with_options(distill("stopped", "--teacher-ranks 1"), "--max-steps 100000 ");
  const Outcome outcome = shell(command + " & p=$!; until [ -s " + out +
                                "/metrics.jsonl ]; do sleep 0.05; done; kill $p; wait $p");
  EXPECT_EQ(outcome.code, 75) << outcome.text;
  EXPECT_TRUE(fs::exists(out + "/checkpoints")) << outcome.text;
}

TEST_F(TeacherRanks, RefuseWhatCannotBe) {
  const auto refuse = [&](const Outcome& outcome, const std::string& message) {
    EXPECT_EQ(outcome.code, 2) << outcome.text;
    EXPECT_NE(outcome.text.find(message), std::string::npos) << outcome.text;
  };
  const auto command = [&](const std::string& more) {
    return with_options(distill("refused", "--teacher-ranks 1"), more);
  };
  refuse(alambic(command("")), "--teacher-ranks 1 leaves none of the 1 ranks to learn");
  refuse(alambic(command("--teacher-mix 0.2")), "--teacher-ranks does not go with --teacher-mix");
  refuse(alambic(command("--lmbda 0 --teacher-cache " + at("cache"))), "with --teacher-cache");
  refuse(alambic(command("--lmbda 0 --completions-by teacher --teacher-completions " + at("c"))),
         "with --completions-by teacher");
  refuse(launch(2, command("--teacher http://127.0.0.1:9/v1#m")), "its server grades");
  refuse(launch(2, command("--max-staleness 1 --save-every 1")), "with --save-every 1");
  refuse(launch(2, command("--max-staleness 1 --num-iterations 2 --objective sampled_reverse_kl")),
         "does not go with --num-iterations 2");
  refuse(launch(2, command("--teacher self")), "--teacher-ranks has no effect with --teacher self");
}

// Prevents a job that waits for a teacher that is gone, and that does not say who it was.
TEST_F(TeacherRanksSlow, NameATeacherThatIsGoneOrStopped) {
  const Outcome gone = after_signal("gone", "KILL");
  EXPECT_EQ(gone.code, 128 + 9) << gone.text;
  EXPECT_NE(gone.text.find("rank 2 ended with signal 9"), std::string::npos) << gone.text;
  const Outcome stopped = after_signal("stopped", "STOP");
  EXPECT_EQ(stopped.code, 3) << stopped.text;
  EXPECT_NE(stopped.text.find("alambic: rank 2 of 3 "), std::string::npos) << stopped.text;
}

// Prevents a resumed run that learns from completions of other weights, and a teacher that waits
// until the next step's completions are there.
TEST_F(TeacherRanksSlow, OneStepOffPolicyResumeToTheByte) {
  const auto command = [&](const std::string& out, const std::string& steps) {
    return with_options(distill(out, ""), "--max-steps " + steps) +
           " --teacher-ranks 1 --max-staleness 1 --save-every 3 --lr-schedule constant --profile";
  };
  const Outcome whole = launch(3, command("whole", "6"));
  ASSERT_EQ(whole.code, 0) << whole.text;
  ASSERT_EQ(launch(3, command("parts", "3")).code, 0);
  const Outcome rest = launch(3, command("parts", "6") + " --resume --allow-change");
  ASSERT_EQ(rest.code, 0) << rest.text;
  for (const char* file : {"model/model.safetensors", "samples.jsonl"}) {
    EXPECT_EQ(read_file(folder / "whole" / file), read_file(folder / "parts" / file)) << file;
  }
  const std::vector<Json> rows = rows_of("whole");
  for (const auto& [row, version] : {std::pair(0, 0), {1, 0}, {2, 1}, {3, 3}, {4, 3}, {5, 4}}) {
    EXPECT_EQ(rows[row]["policy_version"], version) << row;
  }
}

// Prevents grades of a teacher with another tokenizer in the student's tokens.
TEST_F(TeacherRanksSlow, WithAnotherTokenizerLikeOne) {
  const Outcome made = alambic("tokenizer-train --data " + at("prompts.jsonl") +
                               " --vocab-size 270 --out " + at("tokenizer"));
  ASSERT_EQ(made.code, 0) << made.text;
  const Outcome other =
      alambic("init --model-config " + at("student/config.json") + " --tokenizer " +
              at("tokenizer") + " --out " + at("other") + " --seed 2");
  ASSERT_EQ(other.code, 0) << other.text;
  for (const char* kind : {"span", "pieces"}) {
    const std::string more =
        std::string("--cross-tokenizer ") + kind + " --micro-batch-size 2 --teacher " + at("other");
    fs::remove_all(folder / "alone");
    fs::remove_all(folder / "ranks3");
    expect_same_run(
        [&](const std::string& out) {
          return with_options(distill(out, "--teacher-ranks 1"), more);
        },
        {3}, with_options(distill("alone", ""), more));
  }
}

}  // namespace
}  // namespace alambic::teacher_ranks_test
