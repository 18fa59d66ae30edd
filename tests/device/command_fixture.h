// Whole commands in this process, where `--device simulated` is known.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/cli/commands.h"
#include "alambic/options/parse.h"
#include "tests/device/test_device.h"
#include "tests/program/program.h"

extern "C" int alambic_torch_run(const char* command, const alambic::Options& options);

namespace alambic {

/// Runs `line`, whose words have no spaces but within '…'. `text`: standard output, or the error.
inline Outcome run_here(const std::string& line) {
  std::vector<std::string> words;
  bool quoted = false, open = false;
  for (const char c : line) {
    if (c == '\'') {
      quoted = !quoted;
    } else if (c == ' ' && !quoted) {
      open = false;
      continue;
    }
    if (!open) words.emplace_back();
    open = true;
    if (c != '\'') words.back() += c;
  }
  const std::string name = words.front();
  words.erase(words.begin());
  testing::internal::CaptureStdout();
  Outcome outcome;
  std::string error;
  try {
    bool found = false;
    for (const Command& command : all_commands()) {
      if (command.name != name) continue;
      found = true;
      parse_options(name, words, *command.options);
      outcome.code = command.run != nullptr ? command.run(*command.options)
                                            : alambic_torch_run(name.c_str(), *command.options);
    }
    check(found, "no command {}", name);
  } catch (const Error& e) {
    outcome.code = static_cast<int>(e.exit());
    error = std::string(e.what()) + " | " + e.hint();
  } catch (const std::exception& e) {
    outcome.code = 1;
    error = e.what();
  }
  std::fflush(stdout);
  outcome.text = testing::internal::GetCapturedStdout() + error;
  return outcome;
}

/// A teacher, a student and data of the word problems in a folder of their own.
struct DeviceCommands : testing::Test {
  using Json = nlohmann::json;
  static inline fs::path folder;

  static std::string at(const std::string& name) { return (folder / name).string(); }

  static Outcome succeed(const std::string& line) {
    Outcome outcome = run_here(line);
    EXPECT_EQ(outcome.code, 0) << line << "\n" << outcome.text;
    return outcome;
  }

  static void SetUpTestSuite() {
    std::string name = fs::temp_directory_path() / "alambic_XXXXXX";
    folder = ::mkdtemp(name.data());
    const fs::path tokenizer = fs::path(ALAMBIC_SOURCE_DIR) / "recipes/word_problems/tokenizer";
    for (const auto& [model, seed, width] :
         {std::tuple("teacher", 4, 32), std::tuple("student", 5, 16)}) {
      write_file(at("config.json"), Json{{"architectures", {"LlamaForCausalLM"}},
                                         {"model_type", "llama"},
                                         {"hidden_size", width},
                                         {"intermediate_size", 2 * width},
                                         {"num_hidden_layers", 2},
                                         {"num_attention_heads", 2},
                                         {"num_key_value_heads", 1},
                                         {"max_position_embeddings", 64},
                                         {"initializer_range", 0.1},
                                         {"tie_word_embeddings", true},
                                         {"eos_token_id", 0}}
                                        .dump());
      succeed("init --model-config " + at("config.json") + " --tokenizer " + tokenizer.string() +
              " --seed " + std::to_string(seed) + " --out " + at(model));
    }
    std::string rows;
    for (int i = 0; i < 8; ++i) {
      const std::string next = std::to_string(i + 1);
      rows += Json{{"prompt", std::to_string(i) + " + 1 ="},
                   {"completion", " #### " + next},
                   {"answer", next}}
                  .dump() +
              "\n";
    }
    write_file(at("rows.jsonl"), rows);
    write_file(at("text.txt"), rows + rows);
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }

  static std::string on(const std::string& device) {
    return " --dtype float32 --threads 1 --device " + device;
  }

  static std::string distill(const std::string& out, const std::string& more,
                             const std::string& device) {
    return "distill " +
           with_options("--student " + at("student") + " --teacher " + at("teacher") + " --data " +
                            at("rows.jsonl") + " --batch-size 4 --max-completion-length 6" +
                            " --learning-rate 1e-2 --max-steps 3 --seed 3",
                        more + " --out " + at(out)) +
           on(device);
  }

  static std::vector<Json> metrics(const std::string& run) {
    std::vector<Json> rows;
    std::istringstream lines(read_file(folder / run / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) rows.push_back(Json::parse(line));
    return rows;
  }

  /// Every figure of two runs but times and memory. A card's sums have other last bits, and Adam's
  /// first step is the sign of a gradient, of one that is rounding alone too.
  static void expect_equal_runs(const std::string& one, const std::string& other) {
    const std::vector<Json> a = metrics(one), b = metrics(other);
    ASSERT_EQ(a.size(), b.size());
    ASSERT_GT(a.size(), 0u);
    const double tolerance = is_simulated() ? 1e-4 : 2e-2;
    for (size_t i = 0; i < a.size(); ++i) {
      for (const auto& item : a[i].items()) {
        const std::string& key = item.key();
        if (!item.value().is_number() || key.find("second") != key.npos ||
            key.find("memory") != key.npos || key.find("previous") != key.npos) {
          continue;
        }
        ASSERT_TRUE(b[i].contains(key)) << key;
        const auto expected = item.value().get<double>();
        EXPECT_NEAR(b[i][key].get<double>(), expected,
                    tolerance * std::max(std::abs(expected), 1e-2))
            << key << " of row " << i;
      }
    }
  }
};

}  // namespace alambic
