#include "alambic/options/conditions.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/options/parse.h"

namespace alambic::conditions_test {
namespace {

enum class By { data, teacher };

struct BoundOptions : Options {
  By by = By::data;
  std::string file, cache, other;
  double share = 1, weight = 0;
  int64_t rank = 0;
  bool dora = false, chat = false;
  double alpha = 16;

  void visit(OptionVisitor& v) override {
    v.choice("by", by, {{"data", By::data}, {"teacher", By::teacher}}, "whose")
        .formerly("answers-by")
        .not_with("share 1", {.reason = "none is left", .hint = "--share 0"});
    v.text("file", file, "where to").only_with("by teacher");
    v.text("cache", cache, "folder").only_with("share 0", {.reason = "it keeps given ones"});
    v.text("other", other, "another").not_with("cache").required_without("chat or rank");
    v.number("share", share, "of steps");
    v.number("weight", weight, "of a loss").only_with("rank");
    v.integer("rank", rank, "of an adapter");
    v.flag("dora", dora, "norms too").only_with("rank", {.hint = "--rank 16"});
    v.number("alpha", alpha, "scale").only_with("chat or rank");
    v.flag("chat", chat, "talk");
  }
};

BoundOptions parsed(std::vector<std::string> words) {
  BoundOptions options;
  if (std::ranges::find(words, "--other") == words.end()) {
    words.insert(words.begin(), {"--other", "o"});
  }
  parse_options("bound", words, options);
  return options;
}

// "message | hint" of the input error; "" when there is none.
std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    return error.what() + (" | " + error.hint());
  }
  return "";
}
std::string error_of(const std::vector<std::string>& words) {
  return error_of([&] { parsed(words); });
}

TEST(Conditions, RefuseAnOptionWithoutItsPartner) {
  EXPECT_EQ(error_of({"--dora"}), "--dora has no effect without --rank | --rank 16");
  EXPECT_EQ(error_of({"--weight", "0.5"}),
            "--weight has no effect without --rank | give --rank too, or leave --weight out");
  EXPECT_EQ(error_of({"--alpha", "8"}),
            "--alpha has no effect without --chat or --rank | give --chat or --rank too, or leave "
            "--alpha out");
  EXPECT_EQ(error_of({"--alpha", "8", "--chat"}), "");
  EXPECT_EQ(error_of({"--dora", "--rank", "4"}), "");
}

TEST(Conditions, RefuseAnOptionWherePartnersHaveAnotherValue) {
  EXPECT_EQ(error_of({"--file", "f"}),
            "--file has no effect without --by teacher | give --by teacher too, or leave --file "
            "out");
  EXPECT_EQ(error_of({"--cache", "c", "--other", "", "--chat"}),
            "--cache needs --share 0, found 1: it keeps given ones | give --share 0 too, or leave "
            "--cache out");
  EXPECT_EQ(error_of({"--by", "teacher"}),
            "--by teacher does not go with --share 1: none is left | --share 0");
  EXPECT_EQ(error_of({"--by", "teacher", "--share", "0.5", "--file", "f"}), "");
}

TEST(Conditions, RefuseTwoThatExcludeEachOther) {
  EXPECT_EQ(error_of({"--cache", "c", "--share", "0"}),
            "--other and --cache were both given | choose one");
}

TEST(Conditions, NameAnOptionThatIsMissing) {
  EXPECT_EQ(error_of({"--other", ""}), "--other or --chat or --rank is missing | --other: another");
  EXPECT_EQ(error_of({"--other", "", "--rank", "1"}), "");
}

// Prevents: `--alpha 16`, the default, passing where nothing reads it: who writes it means it.
TEST(Conditions, CountWhatTheCommandLineGave) {
  EXPECT_NE(error_of({"--alpha", "16"}), "");
  EXPECT_EQ(error_of({"--dora=false"}), "");
  EXPECT_EQ(error_of({"--weight", "0"}), "");
  EXPECT_EQ(error_of({"--by", "data"}), "");
}

// Prevents: a run's own config.toml, which names every option, being refused.
TEST(Conditions, PassAFileThatNamesEveryDefault) {
  const fs::path path = fs::temp_directory_path() / ("alambic_cond_" + std::to_string(getpid()));
  write_file(path, "other = 'o'\nalpha = 16.0\ndora = false\nweight = 0\nby = 'data'\n");
  EXPECT_EQ(error_of({"--config", path.string()}), "");
  write_file(path, "alpha = 8.0\n");
  EXPECT_NE(error_of({"--config", path.string()}), "");
  fs::remove(path);
}

// Prevents: a program that fills options by itself being told nothing.
TEST(Conditions, HoldForOptionsThatNoCommandLineGave) {
  BoundOptions options;
  options.other = "o";
  EXPECT_EQ(error_of([&] { check_conditions(options, BoundOptions()); }), "");
  options.alpha = 8;
  EXPECT_NE(error_of([&] { check_conditions(options, BoundOptions()); }).find("--alpha has no"),
            std::string::npos);
}

TEST(Conditions, AFormerNameIsTakenWithAWarning) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(parsed({"--answers_by=teacher", "--share", "0"}).by, By::teacher);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "warning: --answers-by is now called --by\n");
  const fs::path path = fs::temp_directory_path() / ("alambic_old_" + std::to_string(getpid()));
  write_file(path, "share = 0\nanswers_by = 'teacher'\n");
  testing::internal::CaptureStderr();
  EXPECT_EQ(parsed({"--config", path.string()}).by, By::teacher);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "warning: " + path.string() + ":2: answers_by is now called by\n");
  fs::remove(path);
}

}  // namespace
}  // namespace alambic::conditions_test
