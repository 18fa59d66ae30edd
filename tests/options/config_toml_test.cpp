#include "alambic/options/config_toml.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/options/parse.h"
#include "tests/options/sample_options.h"

namespace alambic::config_toml_test {
namespace {

class Config : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  SampleOptions parsed(const std::string& toml, std::vector<std::string> words = {}) {
    write_file(path_, toml);
    SampleOptions options;
    words.insert(words.end(), {"--config", path_.string()});
    parse_options("sample", words, options);
    return options;
  }

  // "message | hint", the folder left out.
  std::string error_of(const std::string& toml) {
    try {
      parsed(toml, {"--student", "s"});
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      std::string text = error.what() + (" | " + error.hint());
      const std::string prefix = folder_.string() + "/";
      if (text.starts_with(prefix)) text = text.substr(prefix.size());
      return text;
    }
    return "";
  }

  fs::path folder_ = fs::temp_directory_path() / ("alambic_config_" + std::to_string(getpid()));
  fs::path path_ = folder_ / "run.toml";
};

TEST_F(Config, ReadsTheSameKeysAsTheCommandLine) {
  const SampleOptions options = parsed(
      "student = 's'\nlearning_rate = 1\nmax-steps = 5\noverwrite = true\ndata = ['a', 'b']\n");
  EXPECT_EQ(options.student, "s");
  EXPECT_EQ(options.learning_rate, 1.0);
  EXPECT_EQ(options.max_steps, 5);
  EXPECT_TRUE(options.overwrite);
  EXPECT_EQ(options.data, (std::vector<std::string>{"a", "b"}));
}

// Prevents: a file whose two spellings of a key hide one of its values.
TEST_F(Config, RefusesAKeyInTwoSpellings) {
  EXPECT_EQ(error_of("max_steps = 1\nmax-steps = 2\n").substr(0, 46),
            "run.toml:1: max_steps: max-steps stands there ");
}

TEST_F(Config, LosesAgainstTheCommandLine) {
  const SampleOptions options = parsed("student = 'file'\nbeta = 0.25\n", {"--student", "line"});
  EXPECT_EQ(options.student, "line");
  EXPECT_EQ(options.beta, 0.25);
}

TEST_F(Config, NamesFileAndLineOfAnUnknownKey) {
  EXPECT_EQ(error_of("beta = 1.0\nlerning-rate = 3\n"),
            "run.toml:2: lerning-rate: unknown key | did you mean 'learning-rate'?");
  EXPECT_EQ(error_of("[optimizer_of_choice]\nbeta = 1.0\n"),
            "run.toml:1: optimizer_of_choice: unknown section | keys stand at the top level, "
            "without [sections]");
}

TEST_F(Config, NamesFileAndLineOfAWrongValue) {
  EXPECT_EQ(error_of("\n\nmax-steps = 'ten'\n"),
            "run.toml:3: max-steps: expected a whole number, at least 1, found 'ten' | ");
  EXPECT_EQ(error_of("max-steps = 1.5\n"),
            "run.toml:1: max-steps: expected a whole number, at least 1, found 1.5 | ");
  EXPECT_EQ(error_of("beta = 2\n"), "run.toml:1: beta: expected a number, 0 to 1, found 2 | ");
  EXPECT_EQ(error_of("overwrite = 1\n"),
            "run.toml:1: overwrite: expected true or false, found 1 | ");
  EXPECT_EQ(error_of("device = ['cpu']\n"),
            "run.toml:1: device: expected one of auto, cpu, cuda, found an array | ");
  EXPECT_EQ(error_of("data = ['a', 3]\n"),
            "run.toml:1: data: expected a list of texts, found 3 | ");
  EXPECT_EQ(error_of("data = true\n"), "run.toml:1: data: expected a list of texts, found true | ");
  EXPECT_EQ(error_of("student = 1979-05-27\n"),
            "run.toml:1: student: expected text, found 1979-05-27 | ");
}

TEST_F(Config, NamesFileAndLineOfBrokenToml) {
  EXPECT_TRUE(error_of("beta = 0.5\nbeta = \n").starts_with("run.toml:2: not valid TOML: "));
  EXPECT_TRUE(error_of("beta = 0.5\nbeta = 0.6\n").starts_with("run.toml:2: not valid TOML: "));
  EXPECT_TRUE(error_of(std::string("beta = \0", 8)).starts_with("run.toml:1: not valid TOML: "));
}

TEST_F(Config, RoundTripsThroughTheParser) {
  SampleOptions options;
  options.student = "a \"quoted\"\\path\n\t\x01 é";
  options.data = {"x,y", ""};
  options.learning_rate = 0.1 + 0.2;
  options.max_steps = int64_t{1} << 60;
  options.beta = 1;
  options.shuffle = false;
  const std::string text = config_toml("sample", options);
  EXPECT_EQ(config_toml("sample", parsed(text)), text);
  EXPECT_EQ(parsed(text).student, options.student);
  EXPECT_EQ(parsed(text).learning_rate, options.learning_rate);
}

TEST_F(Config, ExplainsEveryKey) {
  const std::string text = config_toml("sample", SampleOptions());
  EXPECT_NE(text.find("# 0 forward KL, 1 reverse KL (0 to 1)\nbeta = 0.5\n"), std::string::npos);
}

}  // namespace
}  // namespace alambic::config_toml_test
