// A tiny student, teacher and data in a folder, and runs through the library alone.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/jobs/distill_options.h"
#include "alambic/jobs/train_options.h"
#include "alambic/model/load.h"
#include "alambic/text/tokenizer/tokenizer.h"
#include "tests/model_fixture.h"

namespace alambic {

struct RunFixture : testing::Test {
  TemporaryFolder scratch;
  fs::path folder = scratch.path();

  void SetUp() override {
    const Tokenizer tokenizer =
        Tokenizer::load(fs::path(ALAMBIC_SOURCE_DIR) / "recipes/word_problems/tokenizer");
    for (const auto& [name, seed] : {std::pair("student", 1), std::pair("teacher", 2)}) {
      const auto model = random_model(small_llama_config(tokenizer.size()), seed);
      save_model(*model, folder / name, Json());
      tokenizer.save_to(folder / name);
    }
    std::string rows;
    for (int i = 0; i < 8; ++i) {
      const std::string n = std::to_string(i);
      rows += Json{{"prompt", n + " + 1 ="}, {"completion", " " + std::to_string(i + 1)}}.dump();
      rows += "\n";
    }
    write_file(folder / "rows.jsonl", rows);
  }

  std::string at(const std::string& name) const { return (folder / name).string(); }

  template <class SomeOptions>
  void set_common(SomeOptions& options, const std::string& out) const {
    options.data = {at("rows.jsonl")};
    options.run.out = at(out);
    options.machine.device = "cpu";
    options.machine.threads = 1;
    options.training.max_steps = 4;
    options.training.batch_size = 4;
    options.training.learning_rate = 1e-2;
    options.training.seed = 3;
  }
  DistillOptions distillation(const std::string& out) const {
    DistillOptions options;
    set_common(options, out);
    options.student = at("student");
    options.teachers.teacher = {at("teacher")};
    options.max_completion_length = 6;
    return options;
  }
  TrainOptions training(const std::string& out) const {
    TrainOptions options;
    set_common(options, out);
    options.model = at("student");
    return options;
  }

  std::string samples_of(const std::string& out) const {
    return read_file(folder / out / "samples.jsonl");
  }
  /// Rows of figures, but for those of the clock and of the system, and for hashes over them.
  std::vector<nlohmann::ordered_json> metrics_of(const std::string& out) const {
    std::vector<nlohmann::ordered_json> rows;
    const std::string text = read_file(folder / out / "metrics.jsonl");
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = text.find('\n', begin);
      auto& kept = rows.emplace_back(nlohmann::ordered_json::object());
      const auto row = nlohmann::ordered_json::parse(text.substr(begin, end - begin));
      for (const auto& [name, value] : row.items()) {
        if (name == "previous" || name.ends_with("_bytes")) continue;
        if (name.find("second") == name.npos) kept[name] = value;
      }
      begin = end + 1;
    }
    return rows;
  }
};

}  // namespace alambic
