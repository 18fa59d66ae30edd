// A teacher with another tokenizer from the command line, on tiny models.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "alambic/base/files.h"
#include "tests/program/program.h"
#include "tests/program/torch/tiny_llama.h"

namespace alambic::cross_tokenizer_test {
namespace {

using Json = nlohmann::json;

// The teacher has the built-in tokenizer, the student one that was made of the rows.
struct CrossTokenizer : testing::Test {
  static inline fs::path folder;

  static std::string at(const std::string& name) { return (folder / name).string(); }

  static void SetUpTestSuite() {
    std::string name = fs::temp_directory_path() / "alambic_XXXXXX";
    folder = ::mkdtemp(name.data());
    std::string rows;
    for (int i = 0; i < 8; ++i) {
      const std::string n = std::to_string(i);
      rows += Json{{"prompt", "Tom has " + n + " apples and " + n + " pears."},
                   {"completion", " He has " + n + " + " + n + " fruits."},
                   {"answer", n}}
                  .dump() +
              "\n";
    }
    write_file(at("rows.jsonl"), rows);
    ASSERT_NO_FATAL_FAILURE(init_tiny_llama(at("teacher"), "1"));
    ASSERT_NO_FATAL_FAILURE(init_tiny_llama(at("same"), "3"));
    const Outcome made = alambic("tokenizer-train --data " + at("rows.jsonl") +
                                 " --vocab-size 300 --out " + at("tokenizer"));
    ASSERT_EQ(made.code, 0) << made.text;
    const Outcome student =
        alambic("init --model-config " + at("same/config.json") + " --tokenizer " +
                at("tokenizer") + " --out " + at("student") + " --seed 2");
    ASSERT_EQ(student.code, 0) << student.text;
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }

  static std::string options(const std::string& more) {
    return " " + with_options("--student " + at("student") + " --data " + at("rows.jsonl") +
                                  " --batch-size 4 --max-completion-length 12 --learning-rate 1e-2"
                                  " --max-steps 3 --seed 3 --device cpu --threads 1",
                              more);
  }
  static std::string with_teacher() { return "--teacher " + at("teacher") + " "; }
  static std::vector<Json> succeed(const std::string& out, const std::string& more) {
    const Outcome outcome = alambic("distill --out " + at(out) + options(more));
    EXPECT_EQ(outcome.code, 0) << more << "\n" << outcome.text;
    std::vector<Json> rows;
    if (outcome.code != 0) return rows;
    std::istringstream lines(read_file(folder / out / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) rows.push_back(Json::parse(line));
    return rows;
  }
  static void expect(int code, const std::string& arguments,
                     const std::vector<std::string>& words) {
    const Outcome outcome = alambic(arguments);
    EXPECT_EQ(outcome.code, code) << arguments << "\n" << outcome.text;
    for (const std::string& word : words) {
      EXPECT_NE(outcome.text.find(word), std::string::npos)
          << "no '" << word << "' for " << arguments << "\n"
          << outcome.text;
    }
  }
};

TEST_F(CrossTokenizer, WithoutTheOptionIsAnErrorThatNamesIt) {
  expect(2, "distill --out " + at("never") + options(with_teacher()),
         {"vocabularies differ", "--cross-tokenizer span"});
  expect(4, "check" + options(with_teacher()) + " --out " + at("never"),
         {"--cross-tokenizer span", "strings are a token of both", "spans"});
}

TEST_F(CrossTokenizer, SpansOfTheStudentsOwnCompletions) {
  const std::vector<Json> rows =
      succeed("own", with_teacher() + "--cross-tokenizer span --valid-data " + at("rows.jsonl"));
  ASSERT_EQ(rows.size(), 3u);
  for (const Json& row : rows) {
    EXPECT_TRUE(std::isfinite(row["span_reverse_kl"].get<double>()));
    EXPECT_LT(row["masked_share"].get<double>(), 0.05);
  }
  const std::string samples = read_file(folder / "own/samples.jsonl");
  const Json sample = Json::parse(samples.substr(0, samples.find('\n')));
  EXPECT_FALSE(sample["spans"].empty()) << sample;
  const Outcome report = alambic("report --run " + at("own") + " --out " + at("report.html"));
  EXPECT_EQ(report.code, 0) << report.text;
  EXPECT_NE(read_file(folder / "report.html").find("class=\"spans\""), std::string::npos);
}

TEST_F(CrossTokenizer, SpansOfGivenCompletionsWithACache) {
  const std::string more = with_teacher() +
                           "--cross-tokenizer span --lmbda 0 --objective jsd --teacher-cache " +
                           at("cache") + " --teacher-cache-dtype float32";
  const std::vector<Json> live =
      succeed("live", with_teacher() + "--cross-tokenizer span --lmbda 0 --objective jsd");
  const std::vector<Json> filled = succeed("filled", more), replayed = succeed("replayed", more);
  ASSERT_EQ(live.size(), 3u);
  ASSERT_EQ(filled.size(), 3u);
  ASSERT_EQ(replayed.size(), 3u);
  for (size_t i = 0; i < live.size(); ++i) {
    EXPECT_NEAR(filled[i]["loss"].get<double>(), live[i]["loss"].get<double>(), 1e-5);
    EXPECT_EQ(replayed[i]["loss"], filled[i]["loss"]);
    EXPECT_EQ(live[i]["masked_share"], 0);
  }
}

TEST_F(CrossTokenizer, PiecesTakeAnyDivergence) {
  for (const char* more : {"--objective forward_kl", "--objective jsd --lmbda 0"}) {
    const std::vector<Json> rows =
        succeed("pieces", with_teacher() + "--cross-tokenizer pieces --overwrite " + more);
    ASSERT_EQ(rows.size(), 3u);
    for (const Json& row : rows) {
      EXPECT_TRUE(std::isfinite(row["piece_reverse_kl"].get<double>()));
      EXPECT_GT(row["loss"].get<double>(), 0);
    }
  }
  expect(2,
         "distill --out " + at("never") +
             options(with_teacher() + "--cross-tokenizer pieces --objective sampled_reverse_kl"),
         {"pieces compares distributions"});
}

TEST_F(CrossTokenizer, MiniLlmHasItsReturnsBySpans) {
  for (const char* by : {"span", "pieces"}) {
    const std::vector<Json> rows = succeed(
        "minillm", with_teacher() + "--objective minillm --overwrite --cross-tokenizer " + by);
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_TRUE(std::isfinite(rows[2]["long_term_kl"].get<double>())) << rows[2];
  }
}

// Text needs no alignment.
TEST_F(CrossTokenizer, SequenceLevelDistillationNeedsNoOption) {
  const std::string more = with_teacher() +
                           "--objective cross_entropy --lmbda 0 --completions-by teacher "
                           "--teacher-completions " +
                           at("written.jsonl");
  EXPECT_EQ(succeed("sequence", more).size(), 3u);
  expect(2, "distill --out " + at("never") + options(more + " --cross-tokenizer span"),
         {"--cross-tokenizer has no effect"});
}

TEST_F(CrossTokenizer, TeachersOfTwoTokenizersInOneRun) {
  const std::vector<Json> rows =
      succeed("two", "--teacher a=" + at("teacher") + " --teacher b=" + at("student") +
                         " --teacher-weight a=0.5 --teacher-weight b=0.5 --cross-tokenizer span");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_TRUE(rows[0].contains("span_reverse_kl"));
  EXPECT_TRUE(rows[0].contains("reverse_kl"));
}

TEST_F(CrossTokenizer, RefusesWhatSpansCannotSay) {
  const auto refuse = [&](const std::string& more, const std::vector<std::string>& words) {
    expect(2, "distill --out " + at("never") + options(with_teacher() + more), words);
  };
  refuse("--cross-tokenizer span --objective forward_kl", {"policy gradient", "--lmbda 0"});
  refuse("--cross-tokenizer span --objective minillm --teacher-mix 0.2", {"--teacher-mix"});
  refuse("--cross-tokenizer span --kd-topk 4", {"--kd-topk"});
  refuse("--span-lookahead 2", {"--cross-tokenizer"});
}

TEST_F(CrossTokenizer, CheckDescribesThePair) {
  expect(0, "check" + options(with_teacher() + "--cross-tokenizer span --out " + at("never")),
         {"strings are a token of both", "of one token each", "end a completion, as one", "masked",
          "method"});
}

}  // namespace
}  // namespace alambic::cross_tokenizer_test
