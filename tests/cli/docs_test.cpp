// Every command line and every option that stands in the docs and recipes is one that the program
// takes, at least as far as its options and their conditions go.
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>
#include <sstream>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/cli/commands.h"
#include "alambic/cli/launch_words.h"
#include "alambic/cli/run_config.h"
#include "alambic/options/common_options.h"
#include "alambic/options/config_toml.h"
#include "alambic/options/parse.h"

namespace alambic::docs_test {
namespace {

using Words = std::vector<std::string>;

fs::path source(const std::string& name) { return fs::path(ALAMBIC_SOURCE_DIR) / name; }

// Pages that people write; docs/cli is the program's own, LOG.md tells of the past.
std::vector<fs::path> pages() {
  std::vector<fs::path> pages = {source("README.md"), source("CONTRIBUTING.md"),
                                 source("SECURITY.md")};
  for (const auto& entry : fs::directory_iterator(source("docs"))) {
    const std::string name = entry.path().filename();
    if (name.ends_with(".md") && name != "LOG.md") pages.push_back(entry.path());
  }
  return pages;
}

// A shell's words up to a comment, a pipe or a redirection, quotes taken off.
Words shell_words(const std::string& line) {
  Words words;
  bool open = false;
  char quote = 0;
  for (const char c : line) {
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        words.back() += c;
      }
      continue;
    }
    if (c == ' ') {
      open = false;
      continue;
    }
    if (!open && (c == '#' || c == '|' || c == '>' || c == '<' || c == ';' || c == '&')) break;
    if (!open) words.emplace_back();
    open = true;
    if (c == '"' || c == '\'') {
      quote = c;
    } else {
      words.back() += c;
    }
  }
  return words;
}

struct Line {
  std::string where;   // "README.md:38"
  Words words;         // behind "alambic"
  bool whole = false;  // of a block, with everything that it needs
};

bool is_program(const std::string& word) {
  return word == "alambic" || word == "build/release/alambic" || word == "\"$alambic\"" ||
         word == "$alambic";
}

// Lines of fenced blocks (with those that a backslash continues) and `alambic …` in the text.
std::vector<Line> lines_of(const fs::path& page, bool script = false) {
  std::vector<Line> lines;
  std::istringstream text(read_file(page));
  bool block = script;
  int number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    const std::string where = fmt::format("{}:{}", page.filename().string(), number);
    if (line.starts_with("```")) {
      block = !block;
      continue;
    }
    for (std::string more; line.ends_with('\\') && std::getline(text, more); ++number) {
      line = line.substr(0, line.size() - 1) + " " + more;
    }
    if (block) {
      Words words = shell_words(line);
      if (!words.empty() && words.front() == "$") words.erase(words.begin());
      if (words.empty() || !is_program(words.front())) continue;
      lines.push_back({where, Words(words.begin() + 1, words.end()), true});
      continue;
    }
    static const std::regex span("`alambic ([^`]*)`");
    for (std::sregex_iterator found(line.begin(), line.end(), span), end; found != end; ++found) {
      lines.push_back({where, shell_words((*found)[1]), false});
    }
  }
  return lines;
}

// "" when the program would take the words.
std::string error_of(Words words, bool whole) {
  std::vector<Command> commands = all_commands();
  const std::set<std::string> others = {"help",    "--help",     "--version",
                                        "version", "completion", "run"};
  if (words.empty() || others.contains(words.front()) || words.front() == "COMMAND") return "";
  if (words.size() > 1 && std::ranges::count(commands, words[0] + "-" + words[1], &Command::name)) {
    words[1] = words[0] + "-" + words[1];
    words.erase(words.begin());
  }
  if (words.front() == "launch") {
    words = words_of_launch({words.begin() + 1, words.end()});
    words.insert(words.begin(), "launch");
  }
  const auto command = std::ranges::find(commands, words.front(), &Command::name);
  if (command == commands.end()) return "there is no such command";
  try {
    parse_options(command->name, Words(words.begin() + 1, words.end()), *command->options);
  } catch (const Error& error) {
    const std::string text = error.what();
    const bool incomplete =
        text.starts_with("alambic " + command->name + " needs") || text.ends_with("is missing");
    const bool elsewhere = text.find("there is no such file") != text.npos;  // a --config
    if ((incomplete && !whole) || elsewhere) return "";
    return text;
  }
  return "";
}

// Prevents: an example that the reader copies and that ends with "unknown option".
TEST(Docs, CommandLinesAreThoseOfTheProgram) {
  int whole = 0, spans = 0;
  for (const fs::path& page : pages()) {
    for (const Line& line : lines_of(page)) {
      EXPECT_EQ(error_of(line.words, line.whole), "") << line.where;
      ++(line.whole ? whole : spans);
    }
  }
  for (const char* script : {"recipes/word_problems/make_models", "recipes/stories/run",
                             "recipes/tinyshakespeare/run"}) {
    for (const Line& line : lines_of(source(script), true)) {
      EXPECT_EQ(error_of(line.words, true), "") << line.where;
      ++whole;
    }
  }
  EXPECT_GE(whole, 10);
  EXPECT_GE(spans, 10);
}

TEST(Docs, RecipesAreFilesOfOptions) {
  const std::pair<const char*, const char*> files[] = {
      {"train", "recipes/word_problems/teacher.toml"},
      {"train", "recipes/word_problems/student.toml"},
      {"train", "recipes/word_problems/finetune.toml"},
      {"distill", "recipes/word_problems/distill.toml"},
      {"distill", "recipes/stories/distill.toml"},
      {"train", "recipes/tinyshakespeare/train.toml"}};
  for (const auto& [name, file] : files) {
    std::vector<Command> commands = all_commands();
    const auto command = std::ranges::find(commands, name, &Command::name);
    OptionTable table(*command->options);
    EXPECT_NO_THROW(read_config(source(file), table)) << file;
  }
}

std::set<std::string> known_options() {
  // Of tools, scripts and other programs that the pages tell of.
  std::set<std::string> known = {
      "max-logprobs",    "parallel", "plan",  "fix",      "lint",    "write-seeds", "gtest-filter",
      "preset",          "build",    "only",  "steps",    "alambic", "key",         "man",
      "start",           "all",      "names", "markdown", "check",   "arrow",       "no-python",
      "ntasks-per-node", "cuda",     "gpus",  "update",   "peers"};
  for (const CommonOption& option : common_options()) known.insert(option.name);
  for (const Command& command : all_commands()) {
    const OptionTable table(*command.options);
    for (const OptionEntry& entry : table.entries()) {
      known.insert(entry.name);
    }
  }
  return known;
}

// Prevents: an option of the docs that was renamed.
TEST(Docs, OptionsAreThoseOfSomeCommand) {
  const std::set<std::string> known = known_options();
  static const std::regex option("(^|[^a-z0-9-])--([a-z][a-z0-9-]+)");
  int seen = 0;
  for (const fs::path& page : pages()) {
    const std::string text = read_file(page);
    for (std::sregex_iterator found(text.begin(), text.end(), option), end; found != end; ++found) {
      const std::string name = (*found)[2];
      if (name == "gtest") continue;  // _filter
      EXPECT_TRUE(known.contains(name)) << page.filename() << ": --" << name;
      ++seen;
    }
  }
  EXPECT_GE(seen, 50);
}

// Values beside options, as in `--objective cross_entropy --lmbda 0`.
TEST(Docs, ValuesOfOptionsAreTaken) {
  static const std::regex span("`--([a-z][a-z0-9-]+) ([a-z0-9_.*+]+)`");
  int seen = 0;
  for (const fs::path& page : pages()) {
    const std::string text = read_file(page);
    for (std::sregex_iterator found(text.begin(), text.end(), span), end; found != end; ++found) {
      bool taken = false, known = false;
      for (const Command& command : all_commands()) {
        OptionTable table(*command.options);
        OptionEntry* entry = table.find((*found)[1]);
        if (entry == nullptr) continue;
        known = true;
        try {
          entry->set_word("--", (*found)[2]);
          taken = true;
        } catch (const Error&) {
        }
      }
      EXPECT_TRUE(taken || !known) << page.filename() << ": " << found->str();
      ++seen;
    }
  }
  EXPECT_GE(seen, 5);
}

TEST(RunConfig, IsTheCommandLineOfTheFilesFirstLine) {
  const fs::path folder = fs::path(testing::TempDir()) / "alambic_run_config";
  fs::create_directories(folder);
  const std::string file = folder / "config.toml";
  write_file(file, "# alambic tokenizer-train --config config.toml\nout = \"x\"\n");
  const Words expected = {"tokenizer-train", "--config", file, "--out", "y"};
  EXPECT_EQ(words_of_run({file, "--out", "y"}), expected);
  EXPECT_EQ(words_of_run({folder.string(), "--out", "y"}), expected);
  write_file(file, "out = \"x\"\n");
  EXPECT_THROW(words_of_run({file}), Error);
  EXPECT_THROW(words_of_run({}), Error);
  EXPECT_THROW(words_of_run({"--out", "y"}), Error);
}

}  // namespace
}  // namespace alambic::docs_test
