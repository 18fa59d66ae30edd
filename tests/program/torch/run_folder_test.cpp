// Whom a run folder belongs to, and what is in it after kills.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/base/temporary_folder.h"
#include "tests/program/torch/tiny_llama.h"

namespace alambic::run_folder_test {
namespace {

using Json = nlohmann::ordered_json;

struct RunFolderTest : testing::Test {
  TemporaryFolder scratch;
  fs::path folder = scratch.path();

  void SetUp() override {
    init_tiny_llama(folder / "teacher", "4");
    init_tiny_llama(folder / "student", "5");
    std::string rows;
    for (int i = 0; i < 12; ++i) {
      rows += Json{{"prompt", std::to_string(i) + " + 1 ="}}.dump() + "\n";
    }
    write_file(folder / "prompts.jsonl", rows);
  }

  std::string command(const std::string& out, const std::string& more) const {
    const auto at = [&](const std::string& name) { return (folder / name).string(); };
    return kProgram + " distill --student " + at("student") + " --teacher " + at("teacher") +
           " --data " + at("prompts.jsonl") + " --out " + at(out) +
           " --batch-size 4 --max-completion-length 6 --learning-rate 1e-2 --seed 3 --device cpu "
           "--threads 1 " +
           more;
  }
  static Outcome succeed(const std::string& command) {
    const Outcome outcome = shell(command);
    EXPECT_EQ(outcome.code, 0) << command << "\n" << outcome.text;
    return outcome;
  }
  // Runs the command in the background and sends the signal once `condition` holds in the shell.
  static Outcome interrupt(const std::string& command, const std::string& condition,
                           const std::string& signal, const std::string& meanwhile = "true") {
    return shell(command + " & p=$!; until " + condition +
                 " || ! kill -0 $p; do sleep 0.01; done; " + meanwhile + "; kill -" + signal +
                 " $p; wait $p");
  }
  std::string has_rows(const std::string& out, int rows) const {
    const std::string file = (folder / out / "metrics.jsonl").string();
    return "[ -f " + file + " ] && [ $(wc -l < " + file + ") -ge " + std::to_string(rows) + " ]";
  }
  std::string samples_of(const std::string& out) const {
    return read_file(folder / out / "samples.jsonl");
  }
  // Everything but what a clock or the system says, and hashes over that.
  std::vector<Json> metrics_of(const std::string& out) const {
    std::vector<Json> rows;
    const std::string text = read_file(folder / out / "metrics.jsonl");
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = text.find('\n', begin);
      Json row = Json::object();
      const Json line = Json::parse(text.substr(begin, end - begin));
      for (const auto& [name, value] : line.items()) {
        if (name == "previous" || name.ends_with("_bytes")) continue;
        if (name.find("second") == name.npos) row[name] = value;
      }
      rows.push_back(std::move(row));
      begin = end + 1;
    }
    return rows;
  }
};

// Bug: a run killed at a saved step had that step's samples twice when it was resumed.
TEST_F(RunFolderTest, HoldsAfterKillsWhatAnUninterruptedRunWrites) {
  const std::string options = "--max-steps 60 --save-every 1";
  succeed(command("whole", options));
  const std::string checkpoints = (folder / "parts/checkpoints/step-000000").string();
  const Outcome first =
      interrupt(command("parts", options), "[ -d " + checkpoints + "03 ]", "KILL");
  ASSERT_EQ(first.code, 128 + 9) << first.text;
  interrupt(command("parts", options + " --resume"), has_rows("parts", 15), "KILL");
  succeed(command("parts", options + " --resume"));
  EXPECT_EQ(samples_of("parts"), samples_of("whole"));
  EXPECT_EQ(metrics_of("parts"), metrics_of("whole"));
  EXPECT_EQ(Json::parse(samples_of("whole").substr(0, samples_of("whole").find('\n')))["step"], 1);
}

// Bug: two runs in one folder wrote into each other's files and checkpoints.
TEST_F(RunFolderTest, BelongsToOneRunAtATime) {
  std::string others;
  for (const char* flag : {"", "--resume", "--overwrite"}) {
    others += command("shared", std::string("--max-steps 100000 ") + flag) + "; echo code $?; ";
  }
  const Outcome outcome = interrupt(command("shared", "--max-steps 100000"), has_rows("shared", 1),
                                    "TERM", "echo holder $p; " + others + "true");
  EXPECT_EQ(outcome.code, 75) << outcome.text;
  const size_t holder = outcome.text.find("holder ");
  ASSERT_NE(holder, std::string::npos) << outcome.text;
  const std::string process =
      "process " + outcome.text.substr(holder + 7, outcome.text.find('\n', holder) - holder - 7);
  size_t refused = 0, named = 0;
  for (size_t i = 0; (i = outcome.text.find("code 3\n", i)) != std::string::npos; ++i) ++refused;
  for (size_t i = 0; (i = outcome.text.find(process + " on ", i)) != std::string::npos; ++i) {
    ++named;
  }
  EXPECT_EQ(refused, 3u) << outcome.text;
  EXPECT_EQ(named, 3u) << outcome.text;
  EXPECT_FALSE(fs::exists(folder / "shared/run.lock"));
}

}  // namespace
}  // namespace alambic::run_folder_test
