#include "alambic/report/run_folder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "alambic/base/error.h"

namespace alambic::run_folder_test {
namespace {

struct RunFolder : testing::Test {
  fs::path root = fs::temp_directory_path() / fmt::format("alambic-runs-{}", ::getpid());
  RunFolder() {
    fs::create_directories(root / "one/run"), fs::create_directories(root / "two/run");
  }
  ~RunFolder() override { fs::remove_all(root); }

  void expect_input_error(const std::string& part) {
    try {
      read_run_folder(root / "one/run");
      ADD_FAILURE() << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
};

TEST_F(RunFolder, ReadsAllItsFiles) {
  const fs::path run = root / "one/run";
  write_file(run / "metrics.jsonl", "{\"step\":1,\"loss\":2.5}\n");
  write_file(run / "config.toml", "seed = 7\n");
  write_file(
      run / "samples.jsonl",
      "{\"step\":1,\"prompt\":[{\"role\":\"user\",\"content\":\"hi\"}],\"completion\":\"yo\","
      "\"answer\":42,\"correct\":false,\"teacher_logp\":-1.25,"
      "\"spans\":[\"y\",[[\"o\"],[]],[[\"a\",\"b\"],[\"ab\"]]]}\n");
  const ReportInput input = read_run_folder(run / "");
  EXPECT_EQ(input.runs.at(0).metrics.at(0).number("loss"), 2.5);
  EXPECT_EQ(input.runs[0].config, "seed = 7\n");
  const Sample& sample = input.runs[0].samples.at(0);
  EXPECT_EQ(sample.prompt, "hi");
  EXPECT_EQ(sample.completion, "yo");
  EXPECT_EQ(sample.reference, "42");
  EXPECT_EQ(sample.correct, false);
  using Texts = std::vector<std::string>;
  ASSERT_EQ(sample.spans.size(), 3u);
  EXPECT_EQ(sample.spans[0].student, Texts{"y"});
  EXPECT_EQ(sample.spans[0].teacher, Texts{"y"});
  EXPECT_EQ(sample.spans[1].teacher, Texts{});
  EXPECT_EQ(sample.spans[2].student, (Texts{"a", "b"}));
  EXPECT_EQ(sample.spans[2].teacher, Texts{"ab"});
  EXPECT_EQ(sample.notes.size(), 1u);
  EXPECT_EQ(sample.notes.at(0), std::make_pair(std::string("Teacher logp"), std::string("-1.25")));
}

TEST_F(RunFolder, NeedsItsMetrics) { expect_input_error("it has no metrics.jsonl"); }

TEST_F(RunFolder, RefusesResultsItCannotUnderstand) {
  const fs::path run = root / "one/run";
  write_file(run / "metrics.jsonl", "");
  for (const auto& [text, part] : std::vector<std::pair<std::string, std::string>>{
           {"", "list of \"rows\""},
           {"[]", "list of \"rows\""},
           {"{\"rows\":{}}", "list of \"rows\""},
           {"{\"rows\":[7]}", "an object with a \"name\""},
           {"{\"rows\":[{\"name\":1}]}", "an object with a \"name\""},
           {"{\"columns\":[1],\"rows\":[]}", "a list of names"}}) {
    write_file(run / "results.json", text);
    expect_input_error(part);
  }
}

TEST_F(RunFolder, JoinsTheResultsOfSeveralRunsByName) {
  const fs::path one = root / "one/run", two = root / "two/run";
  write_file(one / "metrics.jsonl", "");
  write_file(two / "metrics.jsonl", "");
  write_file(one / "results.json",
             "{\"columns\":[\"accuracy\"],\"rows\":[{\"name\":\"teacher\",\"accuracy\":0.9}]}");
  write_file(two / "results.json",
             "{\"rows\":[{\"name\":\"tuned\",\"seconds\":5,\"accuracy\":0.4},"
             "{\"name\":\"teacher\",\"accuracy\":0.1}],\"highlight\":\"tuned\"}");
  const ReportInput input = read_run_folders({one, two});
  EXPECT_EQ(input.runs[0].name, "one/run");
  EXPECT_EQ(input.runs[1].name, "two/run");
  const ResultsTable& table = input.results;
  EXPECT_EQ(table.columns, (std::vector<std::string>{"accuracy", "seconds"}));
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(table.rows[0].cells[0].value, 0.9);
  EXPECT_FALSE(table.rows[0].cells[1].value);
  EXPECT_EQ(table.rows[1].cells[0].value, 0.4);
  EXPECT_EQ(table.rows[1].cells[1].value, 5);
  EXPECT_TRUE(table.rows[1].highlighted);
}

TEST_F(RunFolder, AHugeStepDoesNotOverflow) {
  const fs::path run = root / "one/run";
  write_file(run / "metrics.jsonl",
             "{\"step\":1e300,\"loss\":1}\n{\"step\":18446744073709551615}\n");
  write_file(run / "samples.jsonl", "{\"step\":1e300,\"prompt\":null,\"completion\":{\"a\":1}}\n");
  EXPECT_EQ(read_run_folder(run).runs[0].samples[0].step, 0);
}

}  // namespace
}  // namespace alambic::run_folder_test
