// Whole commands whose models are divided between processes, and processes that stop.
#include <gtest/gtest.h>

#include <set>

#include "alambic/base/free_port.h"
#include "tests/program/torch/ranks_fixture.h"

namespace alambic::sharded_ranks_test {
namespace {

struct ShardedRanks : Ranks {
  std::string sharded(const std::string& out, const std::string& more = "") const {
    return distill(
        out, "--zero-stage 3 --teacher-weights sharded --micro-batch-size 2 --profile " + more);
  }
  std::string whole(const std::string& more = "") const {
    return distill("alone", "--micro-batch-size 2 " + more);
  }
};
struct ShardedRanksSlow : ShardedRanks {};

// Prevents ranks that wait for each other for ever (three rows here, two there, a validation on one
// alone), a student of which a part is exported, and grades that another layout changes.
TEST_F(ShardedRanks, DistillLikeOne) {
  const std::string valid = " --valid-every 2 --valid-data " + at("prompts.jsonl");
  expect_same_run([&](const std::string& out) { return sharded(out, valid); }, {2}, whole(valid));
  for (const char* rank : {"rank-00000.json", "rank-00001.json"}) {
    const auto trace = nlohmann::ordered_json::parse(read_file(folder / "ranks2/profile" / rank));
    std::set<std::string> seen;
    for (const auto& event : trace) seen.insert(event["name"].get<std::string>());
    for (const char* name : {"generate", "learn", "update", "weights for learning of the student",
                             "layers' gradients of the student"}) {
      EXPECT_TRUE(seen.contains(name)) << name << " of " << rank;
    }
  }
}

TEST_F(ShardedRanks, TrainLikeOneWithFewerRowsThanRanks) {
  const auto command = [&](const std::string& out, const std::string& more) {
    return with_options(train(out, more), "--batch-size 1 ");
  };
  expect_same_run([&](const std::string& out) { return command(out, "--zero-stage 2"); }, {2},
                  command("alone", ""));
}

TEST_F(ShardedRanksSlow, OfThreeAndFourDistillLikeOne) {
  expect_same_run([&](const std::string& out) { return sharded(out); }, {3, 4}, whole());
}

TEST_F(ShardedRanksSlow, AnAdapterAndRewardsLikeOne) {
  expect_same_run([&](const std::string& out) { return sharded(out, "--lora-rank 2"); }, {2},
                  whole("--lora-rank 2"));
  fs::remove_all(folder / "alone");
  fs::remove_all(folder / "ranks2");
  const std::string rewards =
      "--objective 0.9*grpo+0.1*reverse_kl --reward 'regex:[0-4]' --num-generations 3";
  expect_same_run([&](const std::string& out) { return sharded(out, rewards); }, {2},
                  whole(rewards));
}

// Prevents a teacher's grades that depend on where it lies: the same bits.
TEST_F(ShardedRanksSlow, TeachersFromTheHostGradeTheSame) {
  ASSERT_EQ(launch(2, distill("resident", "")).code, 0);
  for (const char* weights : {"host", "sharded"}) {
    ASSERT_EQ(launch(2, distill(weights, std::string("--teacher-weights ") + weights)).code, 0);
    EXPECT_EQ(difference("resident", weights), 0) << weights;
  }
}

// Prevents a sharded run that cannot go on elsewhere.
TEST_F(ShardedRanksSlow, ResumeOnAnotherNumber) {
  const auto command = [&](const std::string& out, const std::string& steps) {
    return with_options(sharded(out), "--max-steps " + steps) +
           " --save-every 1 --lr-schedule constant";
  };
  ASSERT_EQ(alambic(with_options(whole(), "--max-steps 6") + " --lr-schedule constant").code, 0);
  ASSERT_EQ(launch(2, command("parts", "2")).code, 0);
  const Outcome three = launch(3, command("parts", "4") + " --resume --allow-change");
  ASSERT_EQ(three.code, 0) << three.text;
  const Outcome one = alambic(command("parts", "6") + " --resume --allow-change");
  ASSERT_EQ(one.code, 0) << one.text;
  EXPECT_LT(difference("alone", "parts"), rounding);
}

// Prevents a job that waits for half an hour for a process that is stopped, and does not say which.
TEST_F(ShardedRanksSlow, NameOneThatIsStopped) {
  const std::string out = at("stopped");
  const std::string command = kProgram + " launch --nproc-per-node 2 " +
                              with_options(distill("stopped", ""), "--max-steps 100000 ") +
                              " --save-every 1 --rank-timeout 5";
  const Outcome outcome = shell(command + " & p=$!; until [ -d " + out +
                                "/checkpoints/step-00000002 ]; do sleep 0.05; done; "
                                "r=$(pgrep -P $p | tail -1); kill -STOP $r; wait $p; c=$?; "
                                "kill -9 $r 2>/dev/null; exit $c");
  EXPECT_EQ(outcome.code, 3) << outcome.text;
  EXPECT_NE(outcome.text.find("alambic: rank 1 of 2 "), std::string::npos) << outcome.text;
}

TEST_F(ShardedRanks, RefuseWhatCannotBe) {
  const Outcome odd = launch(2, distill("odd", "--zero-stage 3 --shard-size 3"));
  EXPECT_EQ(odd.code, 2) << odd.text;
  EXPECT_NE(odd.text.find("--shard-size 3 does not divide the 2 ranks"), std::string::npos);
}

// Prevents a rank 0 that fills the cache before the others and waits for them to divide the
// student.
TEST_F(ShardedRanks, ReadOneTeacherCache) {
  const auto command = [&](const std::string& out, const std::string& more) {
    return with_options(distill(out, ""), "--data " + at("pairs.jsonl") + " --lmbda 0 ") +
           "--teacher-cache " + at("cache-" + out) + more;
  };
  expect_same_run([&](const std::string& out) { return command(out, " --zero-stage 3"); }, {2},
                  command("alone", ""));
}

// Prevents a rank 0 whose teacher writes before the others are there, and waits for them to divide
// that teacher, and ranks that open a cache which another has half begun.
TEST_F(ShardedRanks, LearnFromCompletionsOfATeacher) {
  const auto command = [&](const std::string& out, const std::string& more) {
    return with_options(distill(out, ""), "--data " + at("pairs.jsonl")) +
           " --completions-by teacher --teacher-completions " + at("written-" + out) + more;
  };
  const std::string live = " --lmbda 0.5";
  expect_same_run(
      [&](const std::string& out) {
        return command(out, live + " --zero-stage 2 --teacher-weights sharded");
      },
      {2}, command("alone", live));
  const auto kept = [&](const std::string& out, const std::string& more) {
    return command(out, " --lmbda 0 --teacher-cache " + at("kept-" + out) + more);
  };
  for (const char* run : {"alone", "ranks2"}) {
    fs::remove_all(folder / run);
    fs::remove(folder / (std::string("written-") + run));
  }
  expect_same_run([&](const std::string& out) { return kept(out, " --zero-stage 3"); }, {2},
                  kept("alone", ""));
}

// Prevents gradients of other weights, or of other rows, from being added up without a word: each
// rank reads files of one name in a folder of its own.
TEST_F(ShardedRanks, RefuseOtherFilesUnderOneName) {
  const auto different = [&](const std::string& what, const std::string& more) {
    const std::string command = with_options(
        "--student ../student --teacher ../teacher --data ../pairs.jsonl --out ../different "
        "--batch-size 2 --max-steps 1 --threads 1 --device cpu",
        more);
    const Outcome outcome = shell(
        "for r in 0 1; do (cd " + at("of$r") + " && RANK=$r LOCAL_RANK=$r WORLD_SIZE=2 " +
        "LOCAL_WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=" + std::to_string(free_port()) +
        " timeout 60 " + kProgram + " distill " + command + "; echo code $?) & done; wait");
    EXPECT_NE(outcome.text.find("the " + what + " of rank 1 are not those of rank 0"),
              std::string::npos)
        << outcome.text;
    EXPECT_NE(outcome.text.find("code 2"), outcome.text.rfind("code 2")) << outcome.text;
  };
  for (const char* rank : {"of0", "of1"}) {
    fs::create_directory(folder / rank);
    init_tiny_llama(folder / rank / "model", rank[2] == '0' ? "5" : "6");
    write_file(folder / rank / "rows.jsonl",
               nlohmann::ordered_json{{"prompt", rank}, {"completion", " 1"}}.dump() + "\n");
  }
  different("weights of the student", "--student model");
  different("weights of the student", "--student model --zero-stage 3");
  different("weights of the teacher model", "--teacher model");
  different("rows of the data", "--data rows.jsonl");
}

}  // namespace
}  // namespace alambic::sharded_ranks_test
