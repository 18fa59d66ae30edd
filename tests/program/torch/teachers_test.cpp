// TeacherMixture of every kind through the command line, on tiny models.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "alambic/base/files.h"
#include "tests/program/program.h"

namespace alambic::teachers_test {
namespace {

using Json = nlohmann::json;

const std::string kTokenizer =
    (fs::path(ALAMBIC_SOURCE_DIR) / "recipes/word_problems/tokenizer").string();

struct TeacherCommands : testing::Test {
  static inline fs::path folder;

  static std::string at(const std::string& name) { return (folder / name).string(); }

  static void SetUpTestSuite() {
    std::string name = fs::temp_directory_path() / "alambic_XXXXXX";
    folder = ::mkdtemp(name.data());
    for (const int layers : {1, 2, 3}) {
      const Json config = {{"architectures", {"LlamaForCausalLM"}},
                           {"model_type", "llama"},
                           {"hidden_size", 8 * layers},
                           {"intermediate_size", 24},
                           {"num_hidden_layers", layers},
                           {"num_attention_heads", 2},
                           {"max_position_embeddings", 64},
                           {"rms_norm_eps", 1e-5},
                           {"initializer_range", 0.3},
                           {"tie_word_embeddings", true},
                           {"eos_token_id", 0}};
      write_file(at("config.json"), config.dump());
      const std::string model = at("model" + std::to_string(layers));
      succeed("init --model-config " + at("config.json") + " --tokenizer " + kTokenizer +
              " --seed " + std::to_string(layers) + " --out " + model);
    }
    std::string rows, hints;
    for (int i = 0; i < 12; ++i) {
      const std::string n = std::to_string(i);
      Json row = {{"prompt", n + " + 1 ="},
                  {"completion", " #### " + std::to_string(i + 1)},
                  {"answer", std::to_string(i + 1)},
                  {"teacher", i % 3 == 0 ? "big" : "small"}};
      rows += row.dump() + "\n";
      row["teacher_prompt"] = "#### " + std::to_string(i + 1) + " = " + n + " + 1 =";
      hints += row.dump() + "\n";
    }
    write_file(at("rows.jsonl"), rows);
    write_file(at("hints.jsonl"), hints);
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }

  static Outcome succeed(const std::string& arguments) {
    const Outcome outcome = alambic(arguments);
    EXPECT_EQ(outcome.code, 0) << arguments << "\n" << outcome.text;
    return outcome;
  }
  static void refuse(const std::string& arguments, const std::vector<std::string>& words,
                     int code = 2) {
    const Outcome outcome = alambic(arguments);
    EXPECT_EQ(outcome.code, code) << arguments << "\n" << outcome.text;
    for (const std::string& word : words) {
      EXPECT_NE(outcome.text.find(word), std::string::npos)
          << "no '" << word << "' for " << arguments << "\n"
          << outcome.text;
    }
  }
  static std::string command(const std::string& teachers, const std::string& more = "") {
    return "distill " + teachers + " " +
           with_options("--student " + at("model1") + " --data " + at("rows.jsonl") + " --out " +
                            at("run") + " --overwrite --lmbda 0 --batch-size 6 --max-steps 3" +
                            " --learning-rate 1e-2 --device cpu --threads 1",
                        more);
  }
  /// The losses of the run's steps.
  static std::vector<double> losses(const std::string& command_line) {
    succeed(command_line);
    std::vector<double> losses;
    std::istringstream lines(read_file(folder / "run/metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      losses.push_back(Json::parse(line)["loss"]);
    }
    EXPECT_EQ(losses.size(), 3u);
    return losses;
  }
  static std::string small() { return "--teacher small=" + at("model2"); }
  static std::string big() { return " --teacher big=" + at("model3"); }
};

TEST_F(TeacherCommands, RouteByTagOrAverage) {
  const double routed = losses(command(small() + big(), "--learning-rate 0"))[0];
  const double both = losses(command(small() + big(),
                                     "--learning-rate 0 --teacher-weight small=0.25 "
                                     "--teacher-weight big=0.75"))[0];
  const double one = losses(command("--teacher " + at("model2"), "--learning-rate 0"))[0];
  const double other = losses(command("--teacher " + at("model3"), "--learning-rate 0"))[0];
  EXPECT_NEAR(both, 0.25 * one + 0.75 * other, 1e-5);
  EXPECT_GT(routed, std::min(one, other) - 1);
  EXPECT_NE(routed, both);
  succeed(command(small() + big(),
                  "--lmbda 1 --max-completion-length 5 --valid-data " + at("rows.jsonl")));
}

TEST_F(TeacherCommands, SayWhatIsWrongWithSeveralTeachers) {
  refuse(command(small() + " --teacher " + at("model3")), {"needs a name", "NAME="});
  refuse(command(small() + " --teacher small=" + at("model3")), {"two teachers", "'small'"});
  refuse(command(small()), {"rows.jsonl:1", "\"big\"", "there are: small"});
  refuse(command(small() + big(), "--teacher-weight small=1"), {"no share", "'big'"});
  refuse(command(small() + big(), "--teacher-weight small=0.5 --teacher-weight big=0.6"),
         {"sum to 1.1"});
  refuse(command(small() + big(), "--teacher-weight small=0.5 --teacher-weight large=0.5"),
         {"'large'", "small, big"});
  refuse(command("--teacher self"), {"teacher_prompt"});
  refuse(command("--teacher self", "--teacher-cache " + at("never")), {"self"});
}

TEST_F(TeacherCommands, MayHaveHintsAndOtherDtypes) {
  const std::string hints = " --data " + at("hints.jsonl");
  const double self = losses(command("--teacher self", hints))[0];
  EXPECT_GT(self, 1e-3);
  const auto plain = losses(command("--teacher " + at("model2")));
  const auto hinted = losses(command("--teacher " + at("model2"), hints));
  EXPECT_GT(std::abs(plain[0] - hinted[0]), 1e-3);
  const auto rounded = losses(command("--teacher " + at("model2"), "--teacher-dtype bfloat16"));
  EXPECT_NE(plain[0], rounded[0]);
  EXPECT_NEAR(plain[0], rounded[0], 0.02 * plain[0]);
}

// Bit for bit is tests/train/teachers_test.cpp's, where a pass has the same sequences both ways;
// here they differ, and float32 products round by the rows beside them.
TEST_F(TeacherCommands, ReplayTheirCacheToTheSameLosses) {
  const std::pair<std::string, std::string> cases[] = {{"--teacher " + at("model3"), "rows.jsonl"},
                                                       {small() + big(), "hints.jsonl"}};
  for (const auto& [teachers, data] : cases) {
    const std::string more =
        " --data " + at(data) + " --objective jsd --kd-temperature 2 --micro-batch-size 4";
    const auto live = losses(command(teachers, more));
    fs::remove_all(folder / "exact");
    const std::string exact =
        command(teachers, more + " --teacher-cache-dtype float32 --teacher-cache " + at("exact"));
    const auto filled = losses(exact);
    for (int i = 0; i < 3; ++i) EXPECT_NEAR(filled[i], live[i], 1e-5 * live[i]);
    EXPECT_EQ(losses(exact), filled);
    EXPECT_EQ(alambic(exact).text.find("filled"), std::string::npos);
    fs::remove_all(folder / "half");
    const auto half = losses(command(teachers, more + " --teacher-cache " + at("half")));
    for (int i = 0; i < 3; ++i) EXPECT_NEAR(half[i], live[i], 5e-3 * live[i]);
  }
}

// Bug: tokens of another temperature or another row; a tail of the K that are kept where fewer are
// compared; a head that a teacher without hidden states does not have.
TEST_F(TeacherCommands, ReplayKeptTokensToTheSameLosses) {
  const std::string cache = " --teacher-cache-topk 6 --teacher-cache " + at("tokens");
  const std::pair<std::string, std::string> cases[] = {
      {"--teacher " + at("model3"), " --data " + at("rows.jsonl")},
      {small() + big(), " --kd-temperature 2 --data " + at("hints.jsonl")}};
  for (const auto& [teachers, data] : cases) {
    fs::remove_all(folder / "tokens");
    for (const std::string topk : {"6", "3"}) {
      const std::string more =
          data + " --objective 0.5*jsd+0.5*akl --micro-batch-size 4 --kd-topk " + topk;
      const auto live = losses(command(teachers, more));
      const auto cached = losses(command(teachers, more + cache));
      for (int i = 0; i < 3; ++i) EXPECT_NEAR(cached[i], live[i], 1e-5 * live[i]);
      EXPECT_EQ(losses(command(teachers, more + cache)), cached);
    }
  }
}

TEST_F(TeacherCommands, SayWhatKeptTokensCannotDo) {
  const std::string teacher = "--teacher " + at("model2"), cache = "--teacher-cache " + at("kept");
  const std::string keep = cache + " --teacher-cache-topk 4 ";
  const Outcome filled = succeed(command(teacher, keep + "--kd-topk 4"));
  EXPECT_NE(filled.text.find("32 B each"), std::string::npos) << filled.text;  // 4 × (4 + 4)
  const Json manifest = Json::parse(read_file(folder / "kept/manifest.json"));
  EXPECT_EQ(manifest["form"], "topk");
  EXPECT_EQ(manifest["topk"], 4);
  refuse(command(teacher, keep), {"--teacher-cache-topk needs --kd-topk", "hint: --kd-topk up to"});
  refuse(command(teacher, keep + "--kd-topk 5"), {"--kd-topk 5", "--teacher-cache-topk 4"});
  refuse(command(teacher, keep + "--kd-topk 4 --kd-topk-by both"),
         {"--kd-topk-by teacher, found both"});
  refuse(command(teacher, keep + "--kd-topk 4 --teacher-cache-dtype float32"),
         {"--teacher-cache-dtype float32 does not go with --teacher-cache-topk"});
  refuse(command(teacher, "--kd-topk 4 --teacher-cache-topk 4"), {"without --teacher-cache"});
  refuse(command(teacher, cache + " --teacher-cache-topk 100000 --kd-topk 4"), {"there are"});
  refuse(command(teacher, keep + "--kd-topk 4 --kd-temperature 2"),
         {"temperature is 1 there, 2 in this run"});
  refuse(command(teacher, cache + " --teacher-cache-topk 5 --kd-topk 4"), {"K is 4 there, 5"});
  refuse(command(teacher, cache), {"form is topk there, hidden in this run"});
  refuse(command("--teacher " + at("model3"), keep + "--kd-topk 4"), {"teacher's digest"});
  const fs::path part = folder / "kept/part-00000.safetensors";
  fs::resize_file(part, fs::file_size(part) - 10);
  refuse(command(teacher, keep + "--kd-topk 4"), {"part-00000.safetensors", "damaged"});
}

TEST_F(TeacherCommands, RefuseACacheThatIsNotTheirs) {
  const std::string cache = " --teacher-cache " + at("cache");
  const Outcome filled = succeed(command("--teacher " + at("model2"), cache));
  EXPECT_NE(filled.text.find("32 B each"), std::string::npos) << filled.text;  // width 16
  refuse(command("--teacher " + at("model3"), cache), {"teacher's digest", "hidden width is 16"});
  refuse(command("--teacher " + at("model2"), cache + " --teacher-cache-dtype float32"),
         {"dtype is bfloat16 there, float32"});
  refuse(command("--teacher " + at("model2"), cache + " --lmbda 0.5"), {"--lmbda 0"});
  refuse(command("--teacher " + at("model2"), "--teacher-cache-dtype float32"), {"no effect"});
  const fs::path part = folder / "cache/part-00000.safetensors";
  fs::resize_file(part, fs::file_size(part) - 10);
  refuse(command("--teacher " + at("model2"), cache), {"part-00000.safetensors", "damaged"});
}

TEST_F(TeacherCommands, CheckJudges) {
  const std::string check = "judge-check --data " + at("rows.jsonl") + " --limit 4 --device cpu ";
  const Json report = Json::parse(succeed(check + "--reward number --json").text);
  EXPECT_EQ(report["mean_score"], 1);
  EXPECT_EQ(report["worst_share"], 0);
  EXPECT_EQ(report["tricks"].size(), 4);
  // The longer the better.
  refuse(check + "--reward 'command:wc -c'", {"refused", "flattery", "100 %"}, 4);
  succeed(check + "--reward 'command:wc -c' --threshold 1");
  refuse(check + "--reward command:false", {"none of the 4", "exit code 1"});
  refuse(check, {"--reward", "--judge", "neither"});
  refuse(check + "--reward exact", {"exact_match"});
  refuse(check + "--reward number --judge-pairs", {"no effect without --judge"});
  refuse(check + "--judge " + at("model1"), {"none of the 4", "context is 64"});
  write_file(at("rubric.txt"), "{prompt} {answer}\n");
  refuse(check + "--judge " + at("model1") + " --judge-rubric " + at("rubric.txt"),
         {"none of the 4", "gives no score"});
}

}  // namespace
}  // namespace alambic::teachers_test
