// A GGUF file in the place of a model folder.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "alambic/base/files.h"
#include "tests/program/program.h"

namespace alambic::gguf_model_test {
namespace {

const fs::path stories = fs::path(ALAMBIC_SOURCE_DIR) / "../shared/data/stories260K/hf";

// Prevents any slip between the layouts: one wrong row and the story is another. The words are
// those of transformers on the folder.
TEST(GgufModel, TellsTheStoryOfItsFolder) {
  if (!fs::exists(stories)) GTEST_SKIP() << "no " << stories;
  const std::string file =
      (fs::path(testing::TempDir()) / ("alambic_story_" + std::to_string(::getpid()) + ".gguf"))
          .string();
  for (const char* type : {"f32", "q8_0"}) {
    const Outcome made = alambic("convert --model " + stories.string() + " --out " + file +
                                 " --overwrite --type " + type);
    ASSERT_EQ(made.code, 0) << made.text;
    const Outcome told = alambic("generate --model " + file +
                                 " --prompt 'Once upon a time, there was a' --temperature 0 "
                                 "--max-new-tokens 40 --device cpu --dtype float32");
    EXPECT_NE(told.text.find(" little girl named Lily. She loved to play outside in the park. One "
                             "day, she saw a big, red ball."),
              std::string::npos)
        << type << ": " << told.text;
  }
  fs::remove(file);
}

struct QuantizedTeacher : testing::Test {
  static inline fs::path folder;

  static std::string at(const std::string& name) { return (folder / name).string(); }

  static Outcome succeed(const std::string& arguments) {
    Outcome outcome = alambic(arguments);
    EXPECT_EQ(outcome.code, 0) << arguments << "\n" << outcome.text;
    return outcome;
  }

  // Two models with one small vocabulary; the teacher's rows are whole blocks of Q4_K.
  static void SetUpTestSuite() {
    std::string name = fs::temp_directory_path() / "alambic_XXXXXX";
    folder = ::mkdtemp(name.data());
    const std::string tokenizer =
        (fs::path(ALAMBIC_SOURCE_DIR) / "recipes/word_problems/tokenizer").string();
    for (const auto& [model, width] : {std::pair("teacher", 256), std::pair("student", 16)}) {
      const nlohmann::json config = {{"architectures", {"LlamaForCausalLM"}},
                                     {"model_type", "llama"},
                                     {"hidden_size", width},
                                     {"intermediate_size", width},
                                     {"num_hidden_layers", 1},
                                     {"num_attention_heads", 2},
                                     {"max_position_embeddings", 64},
                                     {"rms_norm_eps", 1e-5},
                                     {"initializer_range", 0.1},
                                     {"tie_word_embeddings", true},
                                     {"eos_token_id", 0}};
      write_file(at("config.json"), config.dump());
      succeed("init --model-config " + at("config.json") + " --tokenizer " + tokenizer +
              " --seed 1 --out " + at(model));
    }
    write_file(at("teacher/chat_template.jinja"),
               "{{ bos_token }}{% for m in messages %}{{ m.content }}|{% endfor %}");
    succeed("convert --model " + at("teacher") + " --type q4_k --out " + at("teacher.gguf"));
    succeed("convert --model " + at("teacher.gguf") + " --out " + at("decoded"));
    write_file(at("rows.jsonl"), R"({"prompt": "1 + 1 =", "completion": " #### 2"})");
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }

  static double loss(const std::string& teacher) {
    succeed("distill --student " + at("student") + " --teacher " + at(teacher) + " --data " +
            at("rows.jsonl") + " --out " + at("run") +
            " --overwrite --lmbda 0 --max-steps 1 --device cpu --dtype float32 --threads 1");
    std::istringstream lines(read_file(folder / "run/metrics.jsonl"));
    std::string line;
    std::getline(lines, line);
    return nlohmann::json::parse(line).at("loss");
  }
};

// Prevents a teacher that grades with other numbers than its file holds, or that needs its folder.
TEST_F(QuantizedTeacher, GradesAsItsDecodedWeightsDo) {
  const double expected = loss("decoded");
  EXPECT_GT(expected, 0);
  EXPECT_NEAR(loss("teacher.gguf"), expected, 1e-6);
}

// Bug: a command that takes another tensor for a packed head (a judge gave no score), or wants its
// gradient (eval ended as a bug).
TEST_F(QuantizedTeacher, IsMeasuredAndJudgesAsItsDecodedWeightsDo) {
  write_file(at("answered.jsonl"), R"({"prompt": "1 + 1 =", "answer": "2"})");
  write_file(at("text.txt"), "Emma has 4 baskets of 7 coins. Tom has 3.");
  write_file(at("rubric.txt"), "{prompt} {answer}");
  const auto number = [](const std::string& command, const std::string& key) {
    const std::string text = succeed(command + " --device cpu --json").text;
    return nlohmann::json::parse(text.substr(text.find('{'))).at(key).get<double>();
  };
  const auto same = [&](const std::string& before, const std::string& after,
                        const std::string& key) {
    EXPECT_NEAR(number(before + at("teacher.gguf") + after, key),
                number(before + at("decoded") + after, key), 1e-5)
        << key;
  };
  const std::string answered = " --data " + at("answered.jsonl") + " --max-new-tokens 8";
  same("eval --model ", answered + " --teacher " + at("student"), "forward_kl");
  same("eval --model " + at("student") + answered + " --teacher ", "", "forward_kl");
  same("eval --model ", " --data " + at("text.txt"), "cross_entropy");
  // Random weights give every word about the same share, and all completions about the same score.
  const Outcome judged =
      alambic("judge-check --json --device cpu --data " + at("rows.jsonl") + " --judge " +
              at("teacher.gguf") + " --judge-rubric " + at("rubric.txt") +
              " --judge-score 0 --judge-score 1 --threshold 1");
  EXPECT_EQ(judged.text.find("nan"), std::string::npos) << judged.text;
}

TEST_F(QuantizedTeacher, IsDescribedByInfo) {
  const auto facts =
      nlohmann::json::parse(succeed("info --json --model " + at("teacher.gguf")).text);
  EXPECT_EQ(facts.at("model_type"), "llama");
  EXPECT_EQ(facts.at("width"), 256);
  EXPECT_EQ(facts.at("tokenizer"), true);
  const auto dtypes = facts.at("dtypes").get<std::vector<std::string>>();
  EXPECT_NE(std::ranges::find(dtypes, "Q4_K"), dtypes.end()) << facts;
  EXPECT_LT(facts.at("bytes"), facts.at("parameters"));
}

// Prevents a conversation that reads otherwise after a conversion.
TEST_F(QuantizedTeacher, KeepsItsChatTemplate) {
  write_file(at("context.json"), R"({"messages": [{"role": "user", "content": "a"}]})");
  const auto rendered = [](const std::string& model) {
    return succeed("render --context " + at("context.json") + " --model " + at(model)).text;
  };
  EXPECT_TRUE(rendered("teacher").ends_with("a|")) << rendered("teacher");
  EXPECT_EQ(rendered("teacher.gguf"), rendered("teacher"));
  EXPECT_EQ(read_file(folder / "decoded/chat_template.jinja"),
            read_file(folder / "teacher/chat_template.jinja"));
}

}  // namespace
}  // namespace alambic::gguf_model_test
