// The built executable from outside: exit codes, error texts, start-up.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "alambic/base/files.h"
#include "tests/program/program.h"

namespace alambic::program_test {
namespace {

struct Case {
  const char* arguments;
  int code;
  const char* text;
};

TEST(Program, EndsWithTheRightCodeAndText) {
  const Case cases[] = {
      {"--version", 0, "alambic 0."},
      {"--help", 0, "usage: alambic COMMAND"},
      {"-h", 0, "usage: alambic COMMAND"},
      {"help", 0, "usage: alambic COMMAND"},
      {"help info", 0, "usage: alambic info"},
      {"info --help", 0, "usage: alambic info"},
      {"help --markdown", 0, "(cli/info.md)"},
      {"help --markdown info", 0, "# alambic info\n"},
      {"help --man", 0, ".TH ALAMBIC 1"},
      {"help --man tokenizer train", 0, ".TH ALAMBIC\\-TOKENIZER\\-TRAIN 1"},
      {"help -h", 0, "usage: alambic COMMAND"},
      {"completion bash", 0, "complete -F _alambic alambic\n"},
      {"completion", 2, "expected one of bash, zsh, fish, found ''"},
      {"info --model -h", 2, "-h"},
      {"info --model --help", 2, "--help"},
      {"info --json", 0, "{\"alambic\":\""},
      {"", 2, "usage: alambic COMMAND"},
      {"infoo", 2, "error: there is no command 'infoo'\nhint: did you mean `alambic info`?\n"},
      {"wwwwwwwwwwww", 2, "hint: alambic --help lists the commands\n"},
      {"--json", 2, "error: expected a command before '--json'\n"},
      {"info --jason", 2,
       "error: alambic info: unknown option --jason\nhint: did you mean --json?\n"},
      {"info --json=1", 2, "error: --json: expected true or false, found '1'\n"},
      {"info --config /nowhere.toml", 2,
       "error: cannot read /nowhere.toml: there is no such file\n"},
      {"info --model /nowhere", 2, "/nowhere"},
      {"tokenize", 2,
       "error: alambic tokenize needs --model (folder with tokenizer.json, or GGUF file)\n"},
      {"tokenizer train", 2, "error: alambic tokenizer-train needs --data (text to learn from"},
      {"help tokenizer train", 0, "usage: alambic tokenizer-train"},
      {"info > /dev/full", 3, "error: cannot write the result to standard output\n"},
  };
  for (const Case& expected : cases) {
    const Outcome outcome = alambic(expected.arguments);
    EXPECT_EQ(outcome.code, expected.code) << expected.arguments;
    EXPECT_NE(outcome.text.find(expected.text), std::string::npos)
        << expected.arguments << "\n  printed: " << outcome.text;
  }
}

// Prevents: a byte more or less than the template makes.
TEST(Program, RendersATemplateExactly) {
  const fs::path folder =
      fs::temp_directory_path() / ("alambic_render_" + std::to_string(getpid()));
  fs::create_directories(folder);
  write_file(folder / "t.jinja", "{% for m in messages %}{{ m.content }},{% endfor %}");
  write_file(folder / "c.json", R"({"messages": [{"content": "é"}, {"content": "b"}]})");
  const std::string context = " --context " + (folder / "c.json").string();
  const std::string files = " --template " + (folder / "t.jinja").string() + context;
  EXPECT_EQ(alambic("render" + files).text, "é,b,");
  EXPECT_EQ(alambic("render --spans" + files).text, "{\"text\":\"é,b,\",\"spans\":[]}\n");
  EXPECT_EQ(alambic("render" + context).code, 2);
  fs::remove_all(folder);
}

TEST(Program, NamesFileAndLineOfABadConfiguration) {
  const fs::path path = fs::temp_directory_path() / ("alambic_" + std::to_string(getpid()));
  write_file(path, "# a run\njsno = true\n");
  const Outcome outcome = alambic("info --config " + path.string());
  fs::remove(path);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.text,
            "error: " + path.string() + ":2: jsno: unknown key\nhint: did you mean 'json'?\n");
}

TEST(Program, ShowsEveryCommandsHelp) {
  std::istringstream names(alambic("help --names").text);
  int commands = 0;
  for (std::string name; std::getline(names, name); ++commands) {
    const Outcome outcome = alambic(name + " --help");
    EXPECT_EQ(outcome.code, 0) << name;
    EXPECT_NE(outcome.text.find("usage: alambic " + name), std::string::npos) << outcome.text;
  }
  EXPECT_GT(commands, 10);
}

// Prevents: docs/cli/ telling of options that are no more.
TEST(Program, IsWhatTheDocsSay) {
  const Outcome outcome =
      shell(std::string(ALAMBIC_SOURCE_DIR) + "/tools/docs-cli --check " + kProgram);
  EXPECT_EQ(outcome.code, 0) << outcome.text;
}

// What bash offers for the last of `words`, a line each.
std::string completed(const std::string& words) {
  return shell("bash -c 'source <(" + kProgram + " completion bash); COMP_WORDS=(alambic " + words +
               "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _alambic; printf \"%s\\n\" "
               "\"${COMPREPLY[@]}\"'")
      .text;
}

TEST(Program, CompletesInBash) {
  EXPECT_EQ(completed("tokeni"), "tokenizer-train\ntokenize\n");
  EXPECT_EQ(completed("distill --on-c"), "--on-collapse\n");
  EXPECT_EQ(completed("distill --on-collapse \"\""), "warn\nstop\nrollback\n");
  EXPECT_EQ(completed("distill --on-collapse = s"), "stop\n");
  EXPECT_EQ(completed("train --max-steps 3 --dev"), "--device\n");
  EXPECT_EQ(completed("train --max-steps --dev"), "\n");
  EXPECT_EQ(completed("completion f"), "fish\n");
  const std::string readme = std::string(ALAMBIC_SOURCE_DIR) + "/README";
  EXPECT_EQ(completed("train --data " + readme), readme + ".md\n");
  EXPECT_EQ(completed("distill --teacher math = " + readme), readme + ".md\n");
}

// Prevents: a page that man cannot set.
TEST(Program, WritesManPagesThatRoffReads) {
  if (shell("command -v groff").code != 0) GTEST_SKIP() << "there is no groff";
  const Outcome outcome = shell(kProgram + " help --man distill | groff -man -Tutf8 -ww -P-cbou");
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  for (const char* words : {"--on-collapse NAME", "EXIT STATUS", "warn|stop|rollback"}) {
    EXPECT_NE(outcome.text.find(words), std::string::npos) << outcome.text;
  }
  EXPECT_EQ(outcome.text.find("troff"), std::string::npos) << outcome.text;
  // Bug: "…" in an option's text was three characters that roff does not know.
  const Outcome other = shell(kProgram + " help --man logits | groff -man -Tutf8 -ww -P-cbou");
  EXPECT_EQ(other.text.find("troff"), std::string::npos) << other.text;
  EXPECT_NE(other.text.find("…"), std::string::npos) << other.text;
}

TEST(Program, StartsWithoutLibtorch) {
  const Outcome outcome = shell("LD_TRACE_LOADED_OBJECTS=1 " + kProgram);
  EXPECT_NE(outcome.text.find("libalambic_core"), std::string::npos) << outcome.text;
  // With the prefix, because the lines end in addresses such as 0x00007f1c10a0.
  for (const char* library : {"libtorch", "libc10", "libcud"}) {
    EXPECT_EQ(outcome.text.find(library), std::string::npos) << outcome.text;
  }
}

// Processor time of ended children, in milliseconds.
double children_milliseconds() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto of = [](const timeval& t) { return 1e3 * t.tv_sec + 1e-3 * t.tv_usec; };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

// Processor time, because a wall clock on a busy machine measures the neighbors.
// A family that was added without its line in families.def would load nowhere and be named nowhere.
TEST(Program, NamesItsFamilies) {
  const Outcome outcome = alambic("info --json");
  EXPECT_EQ(outcome.code, 0);
  for (const char* family : {"\"llama\"", "\"deepseek_v4\"", "\"qwen3_5_moe_text\""}) {
    EXPECT_NE(outcome.text.find(family), std::string::npos) << family;
  }
}

TEST(Program, StartsIn50Milliseconds) {
  if (!std::string(ALAMBIC_SANITIZED).empty()) GTEST_SKIP() << "a sanitizer's start-up is not ours";
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const double before = children_milliseconds();
    alambic("--help");
    best = std::min(best, children_milliseconds() - before);
  }
  EXPECT_LE(best, 50);
}

}  // namespace
}  // namespace alambic::program_test
