// What a command writes: never over what was there unasked, never over what it reads, and told
// where it cannot be written.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "alambic/base/temporary_folder.h"
#include "tests/program/torch/tiny_llama.h"

namespace alambic::output_test {
namespace {

struct OutputFiles : testing::Test {
  static inline std::unique_ptr<TemporaryFolder> scratch;
  static std::string at(const std::string& name) { return scratch->path() / name; }

  static void SetUpTestSuite() {
    scratch = std::make_unique<TemporaryFolder>();
    init_tiny_llama(at("model"), "1");
    std::string rows;
    for (int i = 0; i < 4; ++i) {
      const std::string n = std::to_string(i);
      rows += nlohmann::json{{"prompt", n + " + 1 ="}, {"answer", n}}.dump() + "\n";
    }
    write_file(at("rows.jsonl"), rows);
    write_file(at("tokens.json"), "[[1, 2, 3]]");
    fs::create_directories(at("run"));
    write_file(at("run/metrics.jsonl"), "{\"step\": 1, \"loss\": 1}\n");
  }
  static void TearDownTestSuite() { scratch.reset(); }

  struct Writer {
    std::string words;
    std::string input;  // what --out must not be
  };
  static std::vector<Writer> writers() {
    const std::string model = " --model " + at("model"), cpu = " --device cpu --threads 1";
    return {
        {"eval" + model + " --max-new-tokens 2 --data " + at("rows.jsonl") + cpu, at("rows.jsonl")},
        {"logits" + model + " --tokens " + at("tokens.json") + cpu, at("tokens.json")},
        {"logits" + model + " --tokens " + at("tokens.json") + cpu, at("model/config.json")},
        {"report --run " + at("run"), at("run/metrics.jsonl")}};
  }
  static Outcome write(const Writer& writer, const std::string& out, const std::string& more = "") {
    return alambic(writer.words + " --out " + out + more);
  }
  static void expect_refused(const Outcome& outcome, int code, const std::string& word) {
    EXPECT_EQ(outcome.code, code) << outcome.text;
    EXPECT_NE(outcome.text.find(word), std::string::npos) << outcome.text;
  }
};

// Prevents: `eval --data X --out X`, after which nothing of X is left.
TEST_F(OutputFiles, AreNeverAnInputOfTheSameCommand) {
  for (const Writer& writer : writers()) {
    const std::string before = read_file(writer.input);
    for (const std::string more : {"", " --overwrite"}) {
      const Outcome outcome = write(writer, writer.input, more);
      EXPECT_EQ(outcome.code, 2) << writer.words << outcome.text;
      EXPECT_EQ(read_file(writer.input), before) << writer.words;
    }
  }
}

TEST_F(OutputFiles, ReplaceNothingUnasked) {
  for (const Writer& writer : writers()) {
    const std::string out = at("there");
    write_file(out, "mine");
    expect_refused(write(writer, out), 2, "--overwrite replaces it");
    EXPECT_EQ(read_file(out), "mine") << writer.words;
    EXPECT_EQ(write(writer, out, " --overwrite").code, 0) << writer.words;
    EXPECT_NE(read_file(out), "mine") << writer.words;
  }
}

// A page of its own is replaced where it has its place, nothing else.
TEST_F(OutputFiles, OfAReportReplaceItsOwnPage) {
  const std::string report = "report --run " + at("run"), page = at("run/report.html");
  EXPECT_EQ(alambic(report).code, 0);
  EXPECT_EQ(alambic(report).code, 0);
  expect_refused(alambic(report + " --out " + page), 2, "exists already");
  write_file(page, "<html>mine</html>");
  expect_refused(alambic(report), 2, "exists already");
  EXPECT_EQ(read_file(page), "<html>mine</html>");
  EXPECT_EQ(alambic(report + " --overwrite").code, 0);
  fs::remove(page);
}

// Prevents: a link, a pipe or a device that a plain file takes the place of.
TEST_F(OutputFiles, GoThroughLinksPipesAndDevices) {
  for (const Writer& writer : writers()) {
    fs::create_symlink("behind", at("link"));
    EXPECT_EQ(write(writer, at("link")).code, 0) << writer.words;
    EXPECT_TRUE(fs::is_symlink(at("link")) && fs::is_regular_file(at("behind"))) << writer.words;
    ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
    const Outcome piped = shell("cat " + at("pipe") + " > " + at("got") + " & " + kProgram + " " +
                                writer.words + " --out " + at("pipe") + " && wait");
    EXPECT_EQ(piped.code, 0) << piped.text;
    EXPECT_TRUE(fs::is_fifo(at("pipe")));
    EXPECT_EQ(read_file(at("got")).size(), read_file(at("behind")).size());
    fs::create_symlink("/dev/null", at("null"));
    EXPECT_EQ(write(writer, at("null")).code, 0) << writer.words;
    EXPECT_TRUE(fs::is_symlink(at("null")) && fs::is_character_file("/dev/null"));
    expect_refused(write(writer, "/dev/full"), 3, "/dev/full: No space left on device");
    expect_refused(write(writer, at("run")), 2, "");
    for (const char* name : {"link", "behind", "pipe", "got", "null"}) fs::remove(at(name));
  }
}

TEST_F(OutputFiles, AreToldBeforeTheWork) {
  for (const Writer& writer : writers()) {
    expect_refused(write(writer, at("none/file")), 3, at("none/file") + ": No such file");
    expect_refused(write(writer, at(std::string(300, 'n'))), 2, "File name too long");
    const Outcome longest = write(writer, at(std::string(255, 'n')));
    EXPECT_EQ(longest.code, 0) << longest.text;
    fs::remove(at(std::string(255, 'n')));
  }
}

// Prevents: exit code 0 of `generate > file` on a full disk.
TEST_F(OutputFiles, OnStandardOutputAreToldToo) {
  const std::string generate = "generate --model " + at("model") +
                               " --device cpu --threads 1 --prompt '1 + 1' --max-new-tokens 4";
  for (const std::string more : {"", " --json", " --num-generations 2"}) {
    expect_refused(shell(kProgram + " " + generate + more + " > /dev/full"), 3,
                   "to standard output");
  }
  expect_refused(alambic("eval --data " + at("rows.jsonl") + " --max-new-tokens 2 --json --model " +
                         at("model") + " > /dev/full"),
                 3, "to standard output");
}

// Prevents: a temporary file that a full disk or a limit on file sizes leaves behind.
TEST_F(OutputFiles, LeaveNothingBehindWhereThereIsNoRoom) {
  const fs::path place = at("limited");
  fs::create_directories(place);
  for (const Writer& writer : writers()) {
    const Outcome outcome = shell("ulimit -f 0; " + kProgram + " " + writer.words + " --out " +
                                  (place / "file").string());
    expect_refused(outcome, 3, (place / "file").string() + ": File too large");
    EXPECT_TRUE(fs::is_empty(place)) << writer.words;
  }
}

// Prevents: half a model in a folder, or over the one that was there; and a model that is read with
// the tokens, the template or the adapter of the one that it replaced.
TEST_F(OutputFiles, OfAModelAreWholeAndOfItAlone) {
  const std::string gpt2 = std::string(ALAMBIC_SOURCE_DIR) + "/tests/golden/gpt2";
  for (const std::string& words :
       {"convert --model " + gpt2,
        "init --characters " + at("rows.jsonl") + " --model-config " + at("config.json")}) {
    const std::string out = at("another");
    const std::string limited = "ulimit -f 0; " + kProgram + " " + words + " --out ";
    expect_refused(shell(limited + out), 3, "File too large");
    EXPECT_FALSE(fs::exists(out)) << words;
    fs::copy(at("model"), out, fs::copy_options::recursive);
    write_file(out + "/added_tokens.json", "{}");
    fs::create_directories(out + "/additional_chat_templates");
    write_file(out + "/additional_chat_templates/tool_use.jinja", "x");
    write_file(out + "/notes.txt", "kept");
    const auto digest = [&] {
      return shell("cd " + out + " && find . -type f | sort | xargs md5sum").text;
    };
    const std::string before = digest();
    expect_refused(shell(limited + out + " --overwrite"), 3, "File too large");
    EXPECT_EQ(digest(), before) << words;
    const Outcome outcome = alambic(words + " --out " + out + " --overwrite");
    EXPECT_EQ(outcome.code, 0) << outcome.text;
    EXPECT_NE(outcome.text.find("added_tokens.json"), std::string::npos) << outcome.text;
    EXPECT_FALSE(fs::exists(out + "/added_tokens.json"));
    EXPECT_FALSE(fs::exists(out + "/additional_chat_templates/tool_use.jinja"));
    EXPECT_EQ(fs::exists(out + "/tokenizer.json"), words.starts_with("init"));
    EXPECT_EQ(read_file(out + "/notes.txt"), "kept");
    fs::remove_all(out);
  }
}

// Prevents: tokens that another tokenizer's files name, read as tokens of the new one.
TEST_F(OutputFiles, OfATokenizerAreOfItAlone) {
  fs::create_directories(at("trained_tokenizer"));
  write_file(at("trained_tokenizer/added_tokens.json"), R"({"<x>": 300})");
  const std::string train = "tokenizer train --vocab-size 258 --data " + at("rows.jsonl") +
                            " --out " + at("trained_tokenizer");
  expect_refused(alambic(train), 2, "added_tokens.json");
  const Outcome outcome = alambic(train + " --overwrite");
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_FALSE(fs::exists(at("trained_tokenizer/added_tokens.json")));
}

TEST_F(OutputFiles, OfARunAreNoInputOfIt) {
  const std::string train = "train --device cpu --threads 1 --max-steps 1 --batch-size 2 --data ";
  write_file(at("text.txt"), read_file(at("rows.jsonl")) + std::string(400, 'x'));
  const Outcome first =
      alambic(train + at("text.txt") + " --model " + at("model") + " --out " + at("trained"));
  ASSERT_EQ(first.code, 0) << first.text;
  const std::string before = read_file(at("trained/model/config.json"));
  expect_refused(alambic(train + at("text.txt") + " --model " + at("trained/model") + " --out " +
                         at("trained") + " --overwrite"),
                 2, "lies in --out");
  EXPECT_EQ(read_file(at("trained/model/config.json")), before);
  // Names of a run's files do not make a folder a run.
  fs::create_directories(at("project/model"));
  write_file(at("project/config.toml"), "[tool]\n");
  expect_refused(alambic(train + at("text.txt") + " --model " + at("model") + " --out " +
                         at("project") + " --overwrite"),
                 2, "no config.toml of a run");
  EXPECT_TRUE(fs::exists(at("project/model")));
}

// A model may not be made in the folder of its own tokenizer: were it to fail halfway, the folder
// would hold neither what was there nor a model.
TEST_F(OutputFiles, OfInitAreNotItsTokenizer) {
  const fs::path tokenizer = fs::path(ALAMBIC_SOURCE_DIR) / "recipes/word_problems/tokenizer";
  fs::copy(tokenizer, at("tokenizer"));
  const std::string before = read_file(at("tokenizer/tokenizer.json"));
  for (const std::string more : {"", " --overwrite"}) {
    expect_refused(alambic("init --model-config " + at("config.json") + " --tokenizer " +
                           at("tokenizer") + " --out " + at("tokenizer") + more),
                   2, "--tokenizer");
  }
  EXPECT_EQ(read_file(at("tokenizer/tokenizer.json")), before);
  EXPECT_FALSE(fs::exists(at("tokenizer/config.json")));
}

}  // namespace
}  // namespace alambic::output_test
