#include "alambic/options/parse.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "alambic/base/error.h"
#include "tests/options/sample_options.h"

namespace alambic::parse_test {
namespace {

using Words = std::vector<std::string>;

SampleOptions parsed(Words words) {
  SampleOptions options;
  const auto is_student = [](const std::string& word) { return word.starts_with("--student"); };
  if (std::ranges::none_of(words, is_student)) words.insert(words.begin(), {"--student", "s"});
  parse_options("sample", words, options);
  return options;
}

// "message | hint" of the input error; "" when there is none.
std::string error_of(const Words& words) {
  try {
    SampleOptions options;
    parse_options("sample", words, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    return error.what() + (" | " + error.hint());
  }
  return "";
}

TEST(Parse, KeepsDefaultsOfWhatIsNotGiven) {
  const SampleOptions options = parsed({});
  EXPECT_EQ(options.student, "s");
  EXPECT_EQ(options.device, SampleOptions::Device::automatic);
  EXPECT_EQ(options.learning_rate, 1e-5);
  EXPECT_EQ(options.max_steps, 100);
  EXPECT_TRUE(options.shuffle);
}

TEST(Parse, TakesEveryKindOfOption) {
  const SampleOptions options =
      parsed({"--device", "cpu", "--learning-rate", "3e-4", "--max-steps=7", "--overwrite"});
  EXPECT_EQ(options.device, SampleOptions::Device::cpu);
  EXPECT_EQ(options.learning_rate, 3e-4);
  EXPECT_EQ(options.max_steps, 7);
  EXPECT_TRUE(options.overwrite);
}

TEST(Parse, TakesUnderscoresForDashes) {
  EXPECT_EQ(parsed({"--learning_rate", "0.25"}).learning_rate, 0.25);
}

TEST(Parse, TurnsAFlagOffWithFalse) { EXPECT_FALSE(parsed({"--shuffle=false"}).shuffle); }

TEST(Parse, GathersAListFromRepeatedOptions) {
  EXPECT_EQ(parsed({"--data", "a.jsonl", "--data=b,c.jsonl"}).data,
            Words({"a.jsonl", "b,c.jsonl"}));
  EXPECT_EQ(error_of({"--student", "s", "--data", "a", "b"}),
            "alambic sample: unexpected word 'b' | options are written --name value; quote a value "
            "that has spaces");
}

// Prevents: `--data a --data b` of a command with one file that learns from b alone, without a
// word.
TEST(Parse, RefusesAnOptionThatIsGivenTwiceAndIsNoList) {
  const std::string hint =
      " | leave one of them out; --help says which options may be given several times";
  EXPECT_EQ(error_of({"--max-steps", "1", "--student", "s", "--max_steps=1"}),
            "--max-steps is given twice: --max-steps '1' and --max-steps '1'" + hint);
  EXPECT_EQ(error_of({"--student", "s", "--student", "t"}),
            "--student is given twice: --student 's' and --student 't'" + hint);
  EXPECT_EQ(error_of({"--shuffle=false", "--shuffle"}),
            "--shuffle is given twice: --shuffle 'false' and --shuffle" + hint);
  EXPECT_EQ(error_of({"--device", "cpu", "--device", "cpu"}),
            "--device is given twice: --device 'cpu' and --device 'cpu'" + hint);
  EXPECT_EQ(error_of({"--config", "a", "--config", "b"}),
            "--config is given twice: --config 'a' and --config 'b'" + hint);
  EXPECT_EQ(error_of({"--offline", "--offline"}),
            "--offline is given twice: --offline and --offline" + hint);
}

TEST(Parse, TakesTextThatLooksLikeANumberOrHasSpaces) {
  EXPECT_EQ(parsed({"--student", "-5 + 3"}).student, "-5 + 3");
  EXPECT_EQ(parsed({"--student=--x"}).student, "--x");
  EXPECT_EQ(parsed({"--student", ""}).student, "");
  EXPECT_EQ(parsed({"--student=", "--overwrite"}).student, "");
  EXPECT_EQ(parsed({"--student", "[INST] a, b [/INST]"}).student, "[INST] a, b [/INST]");
  EXPECT_EQ(parsed({"--student", "--overwrite"}).overwrite, false);
}

// Prevents: `--prompt -h` printing help and `--prompt --offline` going offline.
TEST(Parse, NeverTakesAValueForAFlag) {
  for (const std::string word : {"-h", "--help", "--offline", "--debug", "--config"}) {
    SampleOptions options;
    const CommonFlags flags = parse_options("sample", {"--student", word, "--data", word}, options);
    EXPECT_FALSE(flags.help || flags.offline || flags.debug) << word;
    EXPECT_EQ(options.student, word);
    EXPECT_EQ(options.data, Words({word}));
  }
}

TEST(Parse, TakesTheFlagsOfEveryCommand) {
  SampleOptions options;
  const CommonFlags flags =
      parse_options("sample", {"--debug", "--student", "s", "--offline"}, options);
  EXPECT_TRUE(flags.debug && flags.offline && !flags.help);
}

// Prevents: help that is refused for what is wrong beside it.
TEST(Parse, RefusesNothingBesideHelp) {
  for (const char* help : {"--help", "-h"}) {
    SampleOptions options;
    EXPECT_TRUE(parse_options("sample", {"--zzzz", help, "--beta", "x"}, options).help);
    EXPECT_EQ(options.beta, 0.5);
  }
}

TEST(Parse, NamesTheNearestOptionForAnUnknownOne) {
  EXPECT_EQ(error_of({"--student", "s", "--learning-rat", "1"}),
            "alambic sample: unknown option --learning-rat | did you mean --learning-rate?");
  EXPECT_EQ(error_of({"--max_step=3"}),
            "alambic sample: unknown option --max_step | did you mean --max-steps?");
  EXPECT_EQ(error_of({"--zzzzzzzz"}),
            "alambic sample: unknown option --zzzzzzzz | alambic sample --help lists the options");
}

TEST(Parse, RefusesValuesOfTheWrongKind) {
  EXPECT_EQ(error_of({"--max-steps", "1.5"}),
            "--max-steps: expected a whole number, at least 1, found '1.5' | ");
  EXPECT_EQ(error_of({"--learning-rate", "fast"}),
            "--learning-rate: expected a number, at least 0, found 'fast' | ");
  EXPECT_EQ(error_of({"--max-steps", "99999999999999999999"}),
            "--max-steps: expected a whole number, at least 1, found '99999999999999999999' | ");
  EXPECT_EQ(error_of({"--overwrite=maybe"}),
            "--overwrite: expected true or false, found 'maybe' | ");
}

TEST(Parse, RefusesValuesOutsideTheirBounds) {
  EXPECT_EQ(error_of({"--beta", "1.5"}), "--beta: expected a number, 0 to 1, found 1.5 | ");
  EXPECT_EQ(error_of({"--beta", "nan"}), "--beta: expected a number, 0 to 1, found nan | ");
  EXPECT_EQ(error_of({"--learning-rate", "inf"}),
            "--learning-rate: expected a number, at least 0, found inf | ");
  EXPECT_EQ(error_of({"--max-steps", "0"}),
            "--max-steps: expected a whole number, at least 1, found 0 | ");
}

TEST(Parse, NamesTheChoices) {
  EXPECT_EQ(error_of({"--device", "cuba"}),
            "--device: expected one of auto, cpu, cuda, found 'cuba' | did you mean 'cuda'?");
}

TEST(Parse, RefusesAnOptionWithoutItsValue) {
  EXPECT_EQ(error_of({"--student", "s", "--max-steps"}),
            "--max-steps needs a value | alambic sample --help");
  EXPECT_EQ(error_of({"--max-steps", "--overwrite"}),
            "--max-steps: expected a whole number, at least 1, found '--overwrite' | ");
}

TEST(Parse, NamesARequiredOptionThatIsMissing) {
  EXPECT_EQ(
      error_of({"--device", "cpu"}),
      "alambic sample needs --student (folder of the model to train) | alambic sample --help");
}

TEST(Parse, NamesAConfigurationFileThatIsMissing) {
  EXPECT_EQ(error_of({"--config", "/nowhere/run.toml"}),
            "cannot read /nowhere/run.toml: there is no such file | ");
}

}  // namespace
}  // namespace alambic::parse_test
