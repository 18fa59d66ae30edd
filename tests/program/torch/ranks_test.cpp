// Whole commands in two and three processes against the same in one.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/io/quant/decode.h"
#include "alambic/io/safetensors.h"
#include "tests/program/torch/tiny_llama.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

struct Ranks : testing::Test {
  TemporaryFolder scratch;
  fs::path folder = scratch.path();

  void SetUp() override {
    init_tiny_llama(folder / "teacher", "4");
    init_tiny_llama(folder / "student", "5");
    std::string prompts, pairs;
    for (int i = 0; i < 12; ++i) {
      const std::string prompt = std::to_string(i) + " + 1 =", answer = std::to_string(i + 1);
      prompts += Json{{"prompt", prompt}, {"answer", answer}}.dump() + "\n";
      pairs += Json{{"prompt", prompt}, {"completion", " " + answer}}.dump() + "\n";
    }
    write_file(folder / "prompts.jsonl", prompts);
    write_file(folder / "pairs.jsonl", pairs);
  }

  std::string at(const std::string& name) const { return (folder / name).string(); }
  std::string distill(const std::string& out, const std::string& more) const {
    return "distill --student " + at("student") + " --teacher " + at("teacher") + " --data " +
           at("prompts.jsonl") + " --out " + at(out) +
           " --batch-size 5 --max-completion-length 6 --max-steps 4 --learning-rate 1e-2 --seed 3 "
           "--device cpu --threads 1 " +
           more;
  }
  std::string train(const std::string& out, const std::string& more) const {
    return "train --model " + at("student") + " --data " + at("pairs.jsonl") + " --out " + at(out) +
           " --batch-size 5 --max-steps 4 --learning-rate 1e-2 --seed 3 --device cpu --threads 1 " +
           more;
  }
  static Outcome launch(int ranks, const std::string& command) {
    return alambic("launch --nproc-per-node " + std::to_string(ranks) + " " + command);
  }

  std::vector<Json> rows_of(const std::string& out) const {
    std::vector<Json> rows;
    std::istringstream lines(read_file(folder / out / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) rows.push_back(Json::parse(line));
    return rows;
  }

  // The largest difference of two models' weights.
  double difference(const std::string& one, const std::string& other) const {
    const auto open = [&](const std::string& run) {
      return SafetensorsFile::open(folder / run / "model/model.safetensors");
    };
    const SafetensorsFile a = open(one), b = open(other);
    double most = 0;
    for (const TensorView& tensor : a.tensors()) {
      const auto numbers = [](const TensorView& view) {
        std::vector<float> numbers(static_cast<size_t>(count_of(view.shape)));
        decode(view.dtype, view.bytes, numbers);
        return numbers;
      };
      const std::vector<float> x = numbers(tensor), y = numbers(*b.find(tensor.name));
      for (size_t i = 0; i < x.size(); ++i) most = std::max<double>(most, std::fabs(x[i] - y[i]));
    }
    return most;
  }

  // The run of `command(out)` on two and three ranks is that of one: completions to the byte,
  // figures and weights to rounding.
  template <class Command>
  void expect_same_run(const Command& command) const {
    const Outcome alone = alambic(command("alone"));
    ASSERT_EQ(alone.code, 0) << alone.text;
    const std::vector<Json> expected = rows_of("alone");
    for (const int ranks : {2, 3}) {
      const std::string out = "ranks" + std::to_string(ranks);
      const Outcome many = launch(ranks, command(out));
      ASSERT_EQ(many.code, 0) << many.text;
      EXPECT_LT(difference("alone", out), 1e-5) << ranks;
      const fs::path samples = folder / "alone/samples.jsonl";
      if (fs::exists(samples)) {
        EXPECT_EQ(read_file(samples), read_file(folder / out / "samples.jsonl"));
      }
      const Json record = Json::parse(read_file(folder / out / "provenance/record.json"));
      EXPECT_EQ(record["hardware"]["ranks"].size(), static_cast<size_t>(ranks));
      const std::vector<Json> rows = rows_of(out);
      ASSERT_EQ(rows.size(), expected.size());
      for (size_t i = 0; i < rows.size(); ++i) {
        for (const auto& item : expected[i].items()) {
          const std::string& name = item.key();
          if (name.find("second") != name.npos || name.ends_with("_bytes")) continue;
          if (!item.value().is_number()) continue;  // the chain over the clock's figures
          const double x = item.value(), y = rows[i].at(name);
          EXPECT_NEAR(x, y, 1e-5 * std::max(1.0, std::fabs(x))) << name << " of step " << i + 1;
        }
      }
    }
  }
};

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
  EXPECT_LT(difference("whole", "parts"), 1e-5);
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
                           "checkpoints/step-00000006/optimizer.safetensors"}) {
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
}  // namespace alambic
