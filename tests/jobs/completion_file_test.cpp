#include "alambic/jobs/completion_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "alambic/base/error.h"

namespace alambic::completion_file_test {
namespace {

struct CompletionFileTest : testing::Test {
  fs::path folder, path;
  nlohmann::ordered_json made = {{"form", "teacher answers"}, {"temperature", 1.0}, {"seed", 3}};

  CompletionFileTest() {
    std::string name = fs::temp_directory_path() / "alambic_XXXXXX";
    folder = ::mkdtemp(name.data());
    path = folder / "deep/completions.jsonl";
  }
  ~CompletionFileTest() override { fs::remove_all(folder); }

  void expect_refused(const std::string& text, const std::vector<std::string>& words) {
    write_file(path, text);
    try {
      CompletionFile(path, made);
      ADD_FAILURE() << "not refused: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      for (const std::string& word : words) {
        EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
      }
    }
  }
};

TEST_F(CompletionFileTest, KeepsCompletionsByTeacherAndPrompt) {
  {
    CompletionFile file(path, made);
    file.add("a", {1, 2}, "one \"two\"", "\xff broken", {.tokens = {7, 0}, .ended = true});
    file.add("b", {1, 2}, "one two", "x", {.tokens = {8}});
  }
  const CompletionFile again(path, made);
  ASSERT_NE(again.find("a", {1, 2}), nullptr);
  EXPECT_EQ(again.find("a", {1, 2})->tokens, (std::vector<int32_t>{7, 0}));
  EXPECT_TRUE(again.find("a", {1, 2})->ended);
  EXPECT_FALSE(again.find("b", {1, 2})->ended);
  EXPECT_EQ(again.find("a", {1}), nullptr);
  EXPECT_EQ(again.find("c", {1, 2}), nullptr);
}

TEST_F(CompletionFileTest, WithoutAPathRemembersOnly) {
  CompletionFile file({}, made);
  file.add("a", {1}, "", "", {.tokens = {7}});
  EXPECT_NE(file.find("a", {1}), nullptr);
  EXPECT_TRUE(fs::is_empty(folder));
}

// A run that was killed while it wrote: the whole lines count, and the next one begins its own
// line.
TEST_F(CompletionFileTest, LeavesOutALineThatWasCutShort) {
  { CompletionFile(path, made).add("a", {1}, "p", "c", {.tokens = {7}}); }
  const std::string whole = read_file(path);
  for (const size_t cut : {whole.size() - 1, whole.size() - 20, size_t{10}}) {
    write_file(path, whole.substr(0, cut));
    CompletionFile file(path, made);
    EXPECT_EQ(file.find("a", {1}), nullptr);
    file.add("a", {1}, "p", "c", {.tokens = {7}});
    EXPECT_EQ(read_file(path), whole) << cut;
  }
}

TEST_F(CompletionFileTest, RefusesWhatWasMadeDifferently) {
  { const CompletionFile file(path, made); }
  const std::string head = made.dump() + "\n";
  expect_refused(R"({"form": "teacher answers", "temperature": 0.7, "seed": 3})"
                 "\n",
                 {"completions.jsonl", "temperature is 0.7 there, 1.0 here"});
  expect_refused("{}\n", {"form is null there"});
  expect_refused(head + "[1]\n", {"completions.jsonl:2", "expected a JSON object"});
  expect_refused(head + "nonsense\n", {"completions.jsonl:2"});
  expect_refused(head + R"({"teacher": "a", "prompt_tokens": "x", "tokens": [1], "ended": true})"
                        "\n",
                 {"completions.jsonl:2", "a list of token ids as \"prompt_tokens\""});
  expect_refused(head + R"({"teacher": "a"})"
                        "\n",
                 {"completions.jsonl:2", "a list of token ids as \"prompt_tokens\""});
}

// Prevents: `--teacher-completions data.jsonl` that cuts the data's last line off, since it lacks a
// line end, before it says that the file is another one.
TEST_F(CompletionFileTest, LeavesFilesOfSomethingElseAsTheyAre) {
  { const CompletionFile file(path, made); }  // makes the folder
  for (const std::string text : {"{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}", "{\"prompt\": \"a\"}",
                                 "words", "a\nb", "{\"form\": \"other\"}\nx", "[1]\n2"}) {
    expect_refused(text, {"completions.jsonl"});
    EXPECT_EQ(read_file(path), text);
  }
}

}  // namespace
}  // namespace alambic::completion_file_test
