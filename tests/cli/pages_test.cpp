#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/cli/completion.h"
#include "alambic/cli/man_pages.h"
#include "alambic/cli/markdown_pages.h"
#include "tests/options/sample_options.h"

namespace alambic::pages_test {
namespace {

struct OddOptions : Options {
  std::string token, folder;
  void visit(OptionVisitor& v) override {
    v.text("token", token, "don't [end] as <|x|> in 0.7*a+0.3*b or `a|b_c`");
    v.text("folder", folder, ".hidden one").path();
  }
};

std::vector<Command> commands() {
  std::vector<Command> commands;
  commands.push_back({"sample", "try things", "Some", std::make_unique<SampleOptions>(), nullptr});
  commands.push_back({"odd", "odd texts", "Others", std::make_unique<OddOptions>(), nullptr});
  return commands;
}

void expect_in(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(text.find(part), std::string::npos) << "no '" << part << "' in\n" << text;
  }
}

TEST(MarkdownPages, EscapesWhatATableReads) {
  expect_in(markdown_page(commands()[0]),
            {"# alambic sample\n", "alambic sample --student TEXT [--config", "## Models\n",
             "| `--device NAME` | where to compute (auto\\|cpu\\|cuda; default auto) |"});
  expect_in(markdown_page(commands()[1]),
            {"as \\<\\|x\\|> in 0.7\\*a+0.3\\*b or `a\\|b_c`", "## Options\n"});
}

TEST(MarkdownPages, LinkEveryCommand) {
  expect_in(markdown_index(commands()), {"## Some\n", "[sample](cli/sample.md)",
                                         "[odd](cli/odd.md)", "| 75 |", "--config FILE"});
}

// Prevents: dashes set as hyphens, which no shell takes; a line that begins with a dot read as a
// request.
TEST(ManPages, EscapeWhatRoffReads) {
  expect_in(man_page(commands()[0]), {".TH ALAMBIC\\-SAMPLE 1", "\\fB\\-\\-device\\fR \\fINAME\\fR",
                                      ".SS Models\n", "(at least 0; default 1e\\-05)"});
  expect_in(man_page(commands()[1]), {"\n\\&.hidden one\n", "don\\(aqt", "or \\(gaa|b_c\\(ga"});
  expect_in(man_page(commands()), {".SS Some\n.TP\n\\fBsample\\fR\ntry things\n"});
}

TEST(Completion, KnowsWhatFollowsAnOption) {
  expect_in(completion_script("bash", commands()),
            {"\"sample --device\") _alambic_words \"auto cpu cuda\"",
             "\"odd --folder\" | \"odd --config\") _alambic_files", "\"odd --token\") return",
             "sample) _alambic_words \"--student --device"});
  expect_in(completion_script("zsh", commands()),
            {"'--device=[where to compute]:NAME:(auto cpu cuda)'", "'*--data=[",
             "'--overwrite[replace an earlier run]'", "don'\\''t \\[end\\]"});
  expect_in(
      completion_script("fish", commands()),
      {"-l device -x -a 'auto cpu cuda' -d 'where to compute'", "-l folder -r -F", "don\\'t"});
}

TEST(Completion, NamesTheShellsForAnotherOne) {
  try {
    completion_script("csh", commands());
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "alambic completion: expected one of bash, zsh, fish, found 'csh'");
  }
}

}  // namespace
}  // namespace alambic::pages_test
