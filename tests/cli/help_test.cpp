#include "alambic/cli/help.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/options/sample_options.h"

namespace alambic::help_test {
namespace {

TEST(Help, ShowsGroupsDefaultsBoundsAndChoices) {
  EXPECT_EQ(command_help("sample", "try things", SampleOptions()),
            R"(alambic sample: try things

usage: alambic sample --student TEXT [--config run.toml] [--key value ...]

Models
  --student TEXT     folder of the model to train (required)
  --device NAME      where to compute (auto|cpu|cuda; default auto)

Training
  --data TEXT        jsonl file of prompts (may be repeated)
  --learning-rate X  step size (at least 0; default 1e-05)
  --beta X           0 forward KL, 1 reverse KL (0 to 1; default 0.5)
  --max-steps N      optimizer steps (at least 1; default 100)
  --overwrite        replace an earlier run
  --shuffle          draw prompts in random order (default true)

Every command
  --config FILE      TOML file with the same keys; the command line wins
  --offline          models of the hub only from the cache; as HF_HUB_OFFLINE=1
  --debug            show an error in full
  --help             this text
)");
}

struct BoundOptions : Options {
  double beta = 0.5;
  std::string cache;
  bool chat = false;
  void visit(OptionVisitor& v) override {
    v.text("cache", cache, "folder").formerly("store").only_with("chat or beta 1");
    v.number("beta", beta, "share");
    v.flag("chat", chat, "talk").not_with("cache", {.reason = "it is silent"});
  }
};

TEST(Help, ShowsConditionsAndNoFormerName) {
  const std::string text = command_help("bound", "try", BoundOptions());
  EXPECT_NE(text.find("folder (only with --chat or --beta 1)\n"), std::string::npos) << text;
  EXPECT_NE(text.find("talk (not with --cache)\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("store"), std::string::npos) << text;
}

struct WordyOptions : Options {
  bool flag = false;
  void visit(OptionVisitor& visitor) override {
    std::string help;
    for (int i = 0; i < 100; ++i) help += "word ";
    visitor.flag("flag", flag, help);
  }
};

TEST(Help, WrapsLongTexts) {
  std::istringstream lines(command_help("wordy", "say much", WordyOptions()));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 96u) << line;
}

}  // namespace
}  // namespace alambic::help_test
