// Runs of whole commands in several processes, held against the same in one.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/io/quant/decode.h"
#include "alambic/io/safetensors.h"
#include "tests/program/torch/tiny_llama.h"

namespace alambic {

/// Two small models and rows of sums.
struct Ranks : testing::Test {
  TemporaryFolder scratch;
  fs::path folder = scratch.path();

  void SetUp() override {
    init_tiny_llama(folder / "teacher", "4");
    init_tiny_llama(folder / "student", "5");
    std::string prompts, pairs;
    for (int i = 0; i < 12; ++i) {
      const std::string prompt = std::to_string(i) + " + 1 =", answer = std::to_string(i + 1);
      prompts += nlohmann::ordered_json{{"prompt", prompt}, {"answer", answer}}.dump() + "\n";
      pairs +=
          nlohmann::ordered_json{{"prompt", prompt}, {"completion", " " + answer}}.dump() + "\n";
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

  std::vector<nlohmann::ordered_json> rows_of(const std::string& out) const {
    std::vector<nlohmann::ordered_json> rows;
    std::istringstream lines(read_file(folder / out / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);)
      rows.push_back(nlohmann::ordered_json::parse(line));
    return rows;
  }

  // Four of Adam's steps at 1e-2 move a weight by up to 0.04, also where its gradient is hardly
  // more than rounding: 1.4e-5 with AVX2's sums. A wrong normalizer or a lost rank makes 1e-3.
  static constexpr double rounding = 3e-5;

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

  // The run of `command(out)` on so many ranks is that of one, which `alone` is where it is another
  // command: completions to the byte, figures and weights to rounding.
  template <class Command>
  void expect_same_run(const Command& command, const std::vector<int>& counts = {2, 3},
                       const std::string& alone_command = "") const {
    const Outcome alone = alambic(alone_command.empty() ? command("alone") : alone_command);
    ASSERT_EQ(alone.code, 0) << alone.text;
    const std::vector<nlohmann::ordered_json> expected = rows_of("alone");
    for (const int ranks : counts) {
      const std::string out = "ranks" + std::to_string(ranks);
      const Outcome many = launch(ranks, command(out));
      ASSERT_EQ(many.code, 0) << many.text;
      EXPECT_LT(difference("alone", out), rounding) << ranks;
      const fs::path samples = folder / "alone/samples.jsonl";
      if (fs::exists(samples)) {
        EXPECT_EQ(read_file(samples), read_file(folder / out / "samples.jsonl"));
      }
      const nlohmann::ordered_json record =
          nlohmann::ordered_json::parse(read_file(folder / out / "provenance/record.json"));
      EXPECT_EQ(record["hardware"]["ranks"].size(), static_cast<size_t>(ranks));
      const std::vector<nlohmann::ordered_json> rows = rows_of(out);
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

}  // namespace alambic
