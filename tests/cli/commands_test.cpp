#include "alambic/cli/commands.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/options/conditions.h"
#include "alambic/options/parse.h"

namespace alambic::commands_test {
namespace {

const Command& named(const std::vector<Command>& commands, const std::string& name) {
  return *std::ranges::find(commands, name, &Command::name);
}

// "" when the words are taken.
std::string error_of(const std::string& command, const std::vector<std::string>& words) {
  const std::vector<Command> commands = all_commands();
  try {
    parse_options(command, words, *named(commands, command).options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// Prevents: a condition on an option that was renamed or is another command's, which shows only
// when somebody gives the option.
TEST(Commands, ConditionsNameOptionsOfTheirTable) {
  for (const Command& command : all_commands()) {
    try {
      check_conditions(OptionTable(*command.options));
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input) << command.name << ": " << error.what();
    }
  }
}

TEST(Commands, TakeTheFormerNamesOfOptions) {
  const std::vector<Command> commands = all_commands();
  OptionTable table(*named(commands, "distill").options);
  const std::pair<const char*, const char*> names[] = {{"answers-by", "completions-by"},
                                                       {"teacher-answers", "teacher-completions"},
                                                       {"normalise-jsd", "normalize-jsd"}};
  for (const auto& [former, now] : names) {
    ASSERT_NE(table.find(former), nullptr) << former;
    EXPECT_EQ(table.find(former)->name, now);
  }
}

TEST(Commands, RefuseOptionsThatHaveNoEffect) {
  const std::vector<std::string> run = {"--student", "s", "--data", "d", "--out", "o"};
  const auto distill = [&](std::vector<std::string> more) {
    more.insert(more.begin(), run.begin(), run.end());
    return error_of("distill", more);
  };
  EXPECT_EQ(distill({}), "");
  EXPECT_EQ(distill({"--lora-alpha", "16"}), "--lora-alpha has no effect without --lora-rank");
  EXPECT_EQ(distill({"--freeze", "embeddings", "--lora-rank", "2"}),
            "--freeze embeddings does not go with --lora-rank: an adapter freezes everything");
  EXPECT_EQ(distill({"--freeze", "nothing", "--lora-rank", "2"}), "");
  EXPECT_EQ(distill({"--ce-weight", "1"}),
            "--ce-weight does not go with --lmbda 1: no step has given completions");
  EXPECT_EQ(distill({"--teacher-cache", "c", "--lmbda", "0.5"}),
            "--teacher-cache needs --lmbda 0, found 0.5: it keeps grades of given completions, not "
            "of the student's own");
  EXPECT_EQ(distill({"--lmbda", "0", "--teacher-cache", "c", "--teacher-cache-topk", "4",
                     "--kd-topk", "4", "--kd-topk-by", "both"}),
            "--teacher-cache-topk needs --kd-topk-by teacher, found both: the teacher's own most "
            "likely tokens are kept, not the student's");
  EXPECT_EQ(distill({"--lmbda", "0", "--teacher-cache", "c", "--teacher-cache-topk", "4",
                     "--kd-topk", "4", "--kd-topk-by", "teacher"}),
            "");
  EXPECT_EQ(distill({"--resume", "--overwrite"}), "--resume and --overwrite were both given");
  EXPECT_EQ(distill({"--normalize-jsd", "--beta", "1"}),
            "--normalize-jsd does not go with --beta 1: at its ends jsd is a whole KL already");
  EXPECT_EQ(error_of("init", {"--out", "o"}), "--model-config or --from is missing");
  EXPECT_EQ(error_of("render", {"--context", "c", "--model", "m", "--template", "t"}),
            "--template and --model were both given");
  EXPECT_EQ(error_of("generate", {"--model", "m", "--chat-template", "t"}),
            "--chat-template has no effect without --chat or --data");
  EXPECT_EQ(error_of("judge-check", {"--data", "d", "--judge", "j", "--judge-score", "1"}),
            "--judge-score has no effect without --judge-rubric");
}

}  // namespace
}  // namespace alambic::commands_test
