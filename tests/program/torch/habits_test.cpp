// What people are used to from other tools: epochs, resuming, run folders that say how they were
// made, generation_config.json.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/temporary_folder.h"
#include "tests/program/torch/tiny_llama.h"

namespace alambic::habits_test {
namespace {

using Json = nlohmann::ordered_json;

struct Habits : testing::Test {
  static inline std::unique_ptr<TemporaryFolder> scratch;
  static std::string at(const std::string& name) { return scratch->path() / name; }

  static void SetUpTestSuite() {
    scratch = std::make_unique<TemporaryFolder>();
    init_tiny_llama(at("model"), "1");
    std::string rows;
    for (int i = 0; i < 10; ++i) {
      const std::string n = std::to_string(i);
      rows += Json{{"prompt", n + " + 1 ="}, {"completion", " " + n}, {"answer", n}}.dump() + "\n";
    }
    write_file(at("rows.jsonl"), rows);
  }
  static void TearDownTestSuite() { scratch.reset(); }

  static std::string train(const std::string& out, const std::string& more) {
    return "train --model " + at("model") + " --data " + at("rows.jsonl") + " --out " + at(out) +
           " --device cpu --threads 1 --batch-size 4 --learning-rate 1e-2 " + more;
  }
  static Outcome succeed(const std::string& words) {
    Outcome outcome = alambic(words);
    EXPECT_EQ(outcome.code, 0) << words << "\n" << outcome.text;
    return outcome;
  }
  static void refuse(const std::string& words, const std::vector<std::string>& expected) {
    const Outcome outcome = alambic(words);
    EXPECT_EQ(outcome.code, 2) << words << "\n" << outcome.text;
    for (const std::string& word : expected) {
      EXPECT_NE(outcome.text.find(word), std::string::npos) << outcome.text;
    }
  }
  static int64_t steps(const std::string& out) {
    const std::string rows = read_file(at(out + "/metrics.jsonl"));
    return std::ranges::count(rows, '\n');
  }
};

TEST_F(Habits, EpochsMakeTheSteps) {
  const Outcome two = succeed(train("two", "--epochs 2"));
  EXPECT_NE(two.text.find("2 epochs of 10 sequences in batches of 4: 5 steps"), std::string::npos)
      << two.text;
  EXPECT_EQ(steps("two"), 5);
  succeed(train("alias", "--num-train-epochs 0.5"));
  EXPECT_EQ(steps("alias"), 2);
  const Outcome three = succeed(train("three", "--epochs 2 --max-steps 3"));
  EXPECT_NE(three.text.find("--max-steps 3 wins"), std::string::npos) << three.text;
  EXPECT_EQ(steps("three"), 3);
  succeed("distill --student " + at("model") + " --teacher " + at("model") + " --data " +
          at("rows.jsonl") + " --out " + at("distilled") +
          " --max-completion-length 3 --batch-size 5 --epochs 1 --device cpu --threads 1");
  EXPECT_EQ(steps("distilled"), 2);
}

// Prevents: a learning rate that jumps, without a word, because a resumed run is longer.
TEST_F(Habits, AResumedRunOfAnotherLengthAsksFirst) {
  succeed(train("length", "--max-steps 4 --save-every 2"));
  fs::remove_all(at("length/model"));
  refuse(train("length", "--max-steps 8 --save-every 2 --resume"),
         {"max-steps = 8 (4 before)", "learning rate", "--allow-change"});
  refuse(train("length", "--max-steps 4 --save-every 2 --max-seconds 100 --resume"),
         {"max-seconds = 100", "--allow-change"});
  refuse(train("length", "--allow-change"), {"--resume"});
  const Outcome longer = succeed(train("length", "--max-steps 8 --resume --allow-change"));
  EXPECT_NE(longer.text.find("goes on as another one: max-steps = 8 (4 before)"), std::string::npos)
      << longer.text;
  EXPECT_EQ(steps("length"), 8);
  succeed(train("constant", "--lr-schedule constant --max-steps 4 --save-every 2"));
  fs::remove_all(at("constant/model"));
  succeed(train("constant", "--lr-schedule constant --max-steps 6 --resume"));
}

TEST_F(Habits, ARunFolderSaysHowToRunItAgain) {
  succeed(train("first", "--max-steps 2 --seed 3"));
  succeed("run " + at("first/config.toml") + " --out " + at("again"));
  EXPECT_EQ(read_file(at("again/model/model.safetensors")),
            read_file(at("first/model/model.safetensors")));
  succeed("run " + at("first") + " --out " + at("third") + " --seed 4");
  EXPECT_NE(read_file(at("third/model/model.safetensors")),
            read_file(at("first/model/model.safetensors")));
  refuse("run " + at("first"), {"already holds a run"});
  // What was said of one call is not said of the next.
  succeed("run " + at("first") + " --overwrite");
  refuse("run " + at("first"), {"already holds a run"});
  write_file(at("other.toml"), "model = 'x'\n");
  refuse("run " + at("other.toml"), {"first line", "model = 'x'"});
  refuse("run", {"config.toml"});
  refuse("run " + at("nowhere.toml"), {"no such file"});
}

TEST_F(Habits, TheBestWeightsAreLoaded) {
  const std::string valid = " --valid-data " + at("rows.jsonl");
  const Outcome best = succeed(
      train("best", "--max-steps 8 --valid-every 2 --load-best --early-stopping 2" + valid));
  EXPECT_NE(best.text.find("are the best: valid_loss"), std::string::npos) << best.text;
  refuse(train("none", "--max-steps 8 --load-best" + valid), {"--valid-every"});
  refuse(train("none", "--max-steps 8 --early-stopping 2 --valid-every 2"), {"--valid-data"});
  refuse(train("none", "--max-steps 8 --best-metric valid_loss" + valid), {"--load-best"});
}

// Prevents: completions without what the model's own file asks for, and not a word about it.
TEST_F(Habits, GenerationConfigIsAppliedOrNamed) {
  fs::copy(at("model"), at("asking"), fs::copy_options::recursive);
  write_file(at("asking/generation_config.json"),
             R"({"repetition_penalty": 1e6, "suppress_tokens": [5], "top_p": 0.9,
                 "no_repeat_ngram_size": 3})");
  const std::string options =
      " --prompt '1 + 1 =' --json --temperature 0 --max-new-tokens 20 --device cpu --threads 1";
  const Outcome applied = succeed("generate --model " + at("asking") + options);
  EXPECT_NE(applied.text.find("drawn with repetition_penalty 1000000, suppress_tokens [5]"),
            std::string::npos)
      << applied.text;
  EXPECT_NE(applied.text.find("not applied: top_p 0.9, no_repeat_ngram_size 3"), std::string::npos)
      << applied.text;
  const auto tokens = [](const Outcome& outcome) {
    const size_t begin = outcome.text.find("{\"prompt\"");
    const size_t end = outcome.text.find('\n', begin);
    std::vector<int32_t> ids = Json::parse(outcome.text.substr(begin, end - begin))["tokens"];
    return ids;
  };
  std::vector<int32_t> ids = tokens(applied);
  const auto distinct = [](std::vector<int32_t> all) {
    std::ranges::sort(all);
    return std::ranges::unique(all).empty();
  };
  EXPECT_TRUE(distinct(ids)) << applied.text;
  EXPECT_EQ(std::ranges::count(ids, 5), 0);
  const Outcome without =
      succeed("generate --repetition-penalty 1 --model " + at("asking") + options);
  EXPECT_EQ(without.text.find("repetition_penalty"), std::string::npos) << without.text;
  const Outcome distilled =
      succeed("distill --student " + at("asking") + " --teacher " + at("model") + " --data " +
              at("rows.jsonl") + " --out " + at("graded") +
              " --max-completion-length 3 --batch-size 5 --max-steps 1 --device cpu --threads 1");
  EXPECT_NE(distilled.text.find("are drawn without them"), std::string::npos) << distilled.text;
  write_file(at("asking/generation_config.json"), R"({"repetition_penalty": -1})");
  refuse("generate --model " + at("asking") + options, {"repetition_penalty", "above 0"});
}

TEST_F(Habits, AnOptionGivenTwiceIsAnError) {
  refuse(train("twice", "--batch_size 2"),
         {"--batch-size is given twice: --batch-size '4' and --batch-size '2'"});
  refuse(
      "eval --model " + at("model") + " --data " + at("rows.jsonl") + " --data " + at("rows.jsonl"),
      {"--data is given twice"});
}

}  // namespace
}  // namespace alambic::habits_test
