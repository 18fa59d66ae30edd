// Every command on tiny models, from outside: what a user does in an hour, in seconds.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "alambic/base/files.h"
#include "alambic/io/safetensors.h"
#include "tests/program/program.h"
#include "tests/shared_data.h"

namespace alambic::main_job_test {
namespace {

using Json = nlohmann::json;

const fs::path kSource = ALAMBIC_SOURCE_DIR;
const std::string kTokenizer = (kSource / "recipes/word_problems/tokenizer").string();
const std::string kMachine = " --device cpu --threads 1";

// Bytes of every file under a folder.
std::map<std::string, std::string> files_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files[fs::relative(entry.path(), folder)] = read_file(entry.path());
    }
  }
  return files;
}

struct MainJob : testing::Test {
  static inline fs::path folder;

  static std::string at(const std::string& name) { return (folder / name).string(); }

  static std::string config(int64_t layers, int64_t positions) {
    return Json{{"architectures", {"LlamaForCausalLM"}},
                {"model_type", "llama"},
                {"hidden_size", 16},
                {"intermediate_size", 24},
                {"num_hidden_layers", layers},
                {"num_attention_heads", 2},
                {"num_key_value_heads", 1},
                {"max_position_embeddings", positions},
                {"rms_norm_eps", 1e-5},
                {"tie_word_embeddings", true},
                {"eos_token_id", 0}}
        .dump();
  }

  static void SetUpTestSuite() {
    std::string name = fs::temp_directory_path() / "alambic_XXXXXX";
    folder = ::mkdtemp(name.data());
    write_file(at("teacher.json"), config(2, 64));
    write_file(at("short.json"), config(1, 16));
    std::string rows, plain;
    for (int i = 0; i < 12; ++i) {
      const std::string n = std::to_string(i);
      rows += Json{{"prompt", n + " + 1 ="},
                   {"completion", " #### " + std::to_string(i + 1)},
                   {"answer", std::to_string(i + 1)}}
                  .dump() +
              "\n";
      plain += Json{{"prompt", n + " + 2 ="}}.dump() + "\n";
    }
    write_file(at("rows.jsonl"), rows);
    write_file(at("prompts.jsonl"), plain);
    write_file(at("no_completion.jsonl"), rows + R"({"prompt": "8 ="})" + "\n");
    write_file(at("no_prompt.jsonl"), plain + R"({"question": "8 ="})" + "\n");
    write_file(at("long.jsonl"), plain + Json{{"prompt", std::string(200, '7')}}.dump() + "\n");
    write_file(at("text.txt"), rows + rows);
    for (const char* model : {"teacher", "short"}) {
      const Outcome made = alambic("init --model-config " + at(std::string(model) + ".json") +
                                   " --tokenizer " + kTokenizer + " --seed 4 --out " + at(model));
      ASSERT_EQ(made.code, 0) << made.text;
    }
    const Outcome cut =
        alambic("init --from " + at("teacher") + " --layers 1 --out " + at("student"));
    ASSERT_EQ(cut.code, 0) << cut.text;
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }

  static std::string distill_command(const std::string& out, const std::string& more = "") {
    return "distill " +
           with_options("--student " + at("student") + " --teacher " + at("teacher") + " --data " +
                            at("prompts.jsonl") + " --out " + at(out) +
                            " --batch-size 4 --max-completion-length 6 --learning-rate 1e-2" +
                            " --seed 3" + kMachine,
                        more);
  }
  static std::string train_command(const std::string& out, const std::string& more = "") {
    return "train " +
           with_options("--model " + at("teacher") + " --data " + at("rows.jsonl") + " --out " +
                            at(out) + " --batch-size 4 --learning-rate 1e-2 --seed 3" + kMachine,
                        more);
  }
  static Outcome succeed(const std::string& arguments) {
    const Outcome outcome = alambic(arguments);
    EXPECT_EQ(outcome.code, 0) << arguments << "\n" << outcome.text;
    return outcome;
  }
  static void refuse(const std::string& arguments, const std::vector<std::string>& words) {
    const Outcome outcome = alambic(arguments);
    EXPECT_EQ(outcome.code, 2) << arguments << "\n" << outcome.text;
    for (const std::string& word : words) {
      EXPECT_NE(outcome.text.find(word), std::string::npos)
          << "no '" << word << "' for " << arguments << "\n"
          << outcome.text;
    }
  }
};

Json last_line(const fs::path& file) {
  const std::string text = read_file(file);
  return Json::parse(text.substr(text.rfind('\n', text.size() - 2) + 1));
}

TEST_F(MainJob, GoesFromTrainToReport) {
  succeed(train_command("sft", "--max-steps 4 --valid-data " + at("rows.jsonl")));
  EXPECT_EQ(last_line(folder / "sft/metrics.jsonl")["step"], 4);
  EXPECT_TRUE(std::isfinite(last_line(folder / "sft/metrics.jsonl")["valid_loss"].get<double>()));
  succeed("distill --student " + at("student") + " --teacher " + at("sft/model") + " --data " +
          at("rows.jsonl") + " --valid-data " + at("rows.jsonl") + " --lmbda 0.5 --out " +
          at("distilled") + " --batch-size 4 --max-completion-length 6 --max-steps 4" + kMachine);
  const Json row = last_line(folder / "distilled/metrics.jsonl");
  for (const char* name : {"loss", "reverse_kl", "forward_kl", "student_entropy", "agreement",
                           "grad_norm", "learning_rate", "valid_reverse_kl", "valid_exact_match"}) {
    ASSERT_TRUE(row.contains(name)) << name;
    EXPECT_TRUE(std::isfinite(row[name].get<double>())) << name;
  }
  const std::string model = at("distilled/model");
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json", "README.md"}) {
    EXPECT_TRUE(fs::exists(fs::path(model) / name)) << name;
  }
  const Outcome text = succeed("generate --model " + model + " --prompt '3 + 1 =' --json" +
                               " --max-new-tokens 5 --num-generations 2 2>/dev/null" + kMachine);
  EXPECT_NE(text.text.find("\"logp\":["), std::string::npos) << text.text;
  const Json task = Json::parse(succeed("eval --model " + model + " --data " + at("rows.jsonl") +
                                        " --max-new-tokens 5 --teacher " + at("teacher") +
                                        " --json 2>/dev/null" + kMachine)
                                    .text);
  EXPECT_EQ(task["examples"], 12);
  for (const char* name : {"exact_match", "rouge_l", "reverse_kl"}) {
    EXPECT_TRUE(task.contains(name)) << task;
  }
  const Json perplexity = Json::parse(succeed("eval --model " + model + " --data " +
                                              at("text.txt") + " --json 2>/dev/null" + kMachine)
                                          .text);
  EXPECT_NEAR(std::log(perplexity["perplexity"].get<double>()),
              perplexity["cross_entropy"].get<double>(), 1e-6);
  succeed("report --run " + at("distilled"));
  EXPECT_NE(read_file(at("distilled/report.html")).find("<svg"), std::string::npos);
  succeed("info --model " + model);
}

// The folder of the merged model and the adapter beside it say the same.
TEST_F(MainJob, TrainsAnAdapter) {
  succeed(train_command("adapted", "--max-steps 3 --lora-rank 2 --rslora --lora-dropout 0.1"));
  succeed(distill_command("adapted2", "--max-steps 2 --lora-rank 2 --dora --lora-targets q_proj"));
  EXPECT_TRUE(fs::exists(folder / "adapted2/adapter/adapter_model.safetensors"));
  const std::string card = read_file(at("adapted2/adapter/README.md"));
  EXPECT_NE(card.find("library_name: peft"), std::string::npos);
  EXPECT_NE(card.find("DoRA of rank 2, alpha 16, on q_proj"), std::string::npos) << card;
  write_file(at("ids.json"), "[[1, 2, 3, 4]]");
  const auto logits = [&](const std::string& model, const std::string& out) {
    succeed("logits --tokens " + at("ids.json") + " --out " + at(out) + " --model " + model +
            kMachine);
    const SafetensorsFile file = SafetensorsFile::open(at(out));
    const auto bytes = file.find("logits.0")->bytes;
    const auto* values = reinterpret_cast<const float*>(bytes.data());
    return std::vector<float>(values, values + bytes.size() / sizeof(float));
  };
  const auto merged = logits(at("adapted/model"), "merged.safetensors");
  const auto beside =
      logits(at("teacher") + " --adapter " + at("adapted/adapter"), "beside.safetensors");
  const auto base = logits(at("teacher"), "base.safetensors");
  float worst = 0, change = 0;
  for (size_t i = 0; i < base.size(); ++i) {
    worst = std::max(worst, std::abs(merged[i] - beside[i]));
    change = std::max(change, std::abs(merged[i] - base[i]));
  }
  EXPECT_LT(worst, 1e-5);
  EXPECT_GT(change, 1e-4);
  refuse(train_command("never", "--dora"), {"--dora", "--lora-rank"});
  refuse(train_command("never", "--lora-rank 2 --freeze embeddings"), {"--freeze"});
  refuse(train_command("never", "--lora-rank 2 --lora-targets query"), {"query", "q_proj"});
}

TEST_F(MainJob, GivesTheGoldenLogits) {
  for (const char* name : {"llama", "llama_tied", "gpt2"}) {
    const fs::path model = kSource / "tests/golden" / name;
    const SafetensorsFile golden = SafetensorsFile::open(model / "golden.safetensors");
    const auto* ids = reinterpret_cast<const int64_t*>(golden.find("tokens")->bytes.data());
    const std::vector<int64_t> all(ids, ids + 32);
    const Json tokens = {std::vector<int64_t>(all.begin(), all.begin() + 16),
                         std::vector<int64_t>(all.begin() + 16, all.end())};
    write_file(at("tokens.json"), tokens.dump());
    succeed("logits --model " + model.string() + " --tokens " + at("tokens.json") +
            " --hidden --overwrite --out " + at("logits.safetensors") + kMachine);
    const SafetensorsFile found = SafetensorsFile::open(at("logits.safetensors"));
    const auto* expected = reinterpret_cast<const float*>(golden.find("logits")->bytes.data());
    for (int i = 0; i < 2; ++i) {
      const TensorView* view = found.find("logits." + std::to_string(i));
      ASSERT_NE(view, nullptr);
      EXPECT_EQ(view->shape, (std::vector<int64_t>{16, 64}));
      const auto* values = reinterpret_cast<const float*>(view->bytes.data());
      float worst = 0;
      for (int j = 0; j < 16 * 64; ++j) {
        worst = std::max(worst, std::abs(values[j] - expected[i * 16 * 64 + j]));
      }
      EXPECT_LT(worst, 1e-4) << name;
      ASSERT_NE(found.find("hidden." + std::to_string(i)), nullptr);
    }
  }
}

// A clock, an address or an unseeded draw in the weights would show here.
TEST_F(MainJob, GivesTheSameBytesTwice) {
  for (const bool distills : {true, false}) {
    const auto command = distills ? distill_command : train_command;
    succeed(command("again", "--max-steps 3"));
    const auto first = files_of(folder / "again/model");
    succeed(command("again", "--max-steps 3 --overwrite"));
    const auto second = files_of(folder / "again/model");
    EXPECT_EQ(first.at("model.safetensors"), second.at("model.safetensors"));
    EXPECT_EQ(first.at("config.json"), second.at("config.json"));
    EXPECT_EQ(first.at("tokenizer.json"), second.at("tokenizer.json"));
    fs::remove_all(folder / "again");
  }
}

TEST_F(MainJob, ContinuesAfterAnInterruptionToTheSameBytes) {
  const std::string options = "--max-steps 400 --save-every 400";
  succeed(distill_command("whole", options));
  // Interrupted when its second line of figures is written.
  const std::string file = at("parts/metrics.jsonl");
  const Outcome stopped = shell(kProgram + " " + distill_command("parts", options) + " & p=$!; " +
                                "until [ -f " + file + " ] && [ $(wc -l < " + file +
                                ") -ge 2 ]; do sleep 0.02; done; " + "kill -INT $p; wait $p");
  ASSERT_EQ(stopped.code, 75) << stopped.text;
  EXPECT_NE(stopped.text.find("--resume"), std::string::npos) << stopped.text;
  EXPECT_FALSE(fs::exists(folder / "parts/model"));
  succeed(distill_command("parts", options + " --resume"));
  EXPECT_EQ(files_of(folder / "parts/model").at("model.safetensors"),
            files_of(folder / "whole/model").at("model.safetensors"));
  const std::string metrics = read_file(file);
  EXPECT_EQ(std::ranges::count(metrics, '\n'), 400);
}

// A refusal comes before anything is overwritten.
TEST_F(MainJob, NeverTouchesAFolderThatHoldsSomething) {
  succeed(train_command("kept", "--max-steps 1"));
  const auto before = files_of(folder / "kept");
  refuse(train_command("kept", "--max-steps 1"),
         {"already holds a run", "--resume", "--overwrite"});
  refuse(train_command("kept", "--max-steps 1 --resume --overwrite"), {"choose one"});
  refuse(train_command("kept", "--max-steps 1 --resume --weight-decay 0.5"), {"weight-decay"});
  refuse(distill_command("kept"), {"already holds a run"});
  EXPECT_EQ(files_of(folder / "kept"), before);
  fs::create_directories(folder / "foreign");
  write_file(at("foreign/thesis.tex"), "years of work");
  for (const char* flag : {"", "--overwrite", "--resume"}) {
    refuse(train_command("foreign", flag), {"thesis.tex", "not part of a run"});
  }
  EXPECT_EQ(read_file(at("foreign/thesis.tex")), "years of work");
  refuse("init --model-config " + at("teacher.json") + " --tokenizer " + kTokenizer + " --out " +
             at("foreign"),
         {"exists already"});
}

// A failed `init` once left the tokenizer behind, and the next attempt was refused for it.
TEST_F(MainJob, LeavesNothingBehindAFailedInit) {
  write_file(at("bad.json"), R"({"architectures": ["LlamaForCausalLM"],
                                 "num_attention_heads": 2, "hidden_size": -1})");
  refuse("init --model-config " + at("bad.json") + " --tokenizer " + kTokenizer + " --out " +
             at("new"),
         {"hidden_size"});
  EXPECT_FALSE(fs::exists(folder / "new"));
  refuse("init --from " + at("teacher") + " --layers 3 --out " + at("new"), {"3 layers"});
  refuse("init --from " + at("teacher") + " --tokenizer " + kTokenizer + " --out " + at("new"),
         {"--tokenizer", "--from"});
  refuse("init --from " + at("teacher") + " --hidden-size 4096 --out " + at("new"),
         {"--hidden-size 4096", at("teacher") + " has "});
  refuse("init --model-config " + at("teacher") + " --hidden-size 8 --out " + at("new"),
         {"no effect without --from"});
  EXPECT_FALSE(fs::exists(folder / "new"));
}

// Lists with an entry for each layer once stayed as long as they were, which every family refuses.
TEST_F(MainJob, CutsTheListsOfLayersWithTheLayers) {
  const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/deepseek_v4/config.json";
  Json config = Json::parse(read_file(golden));
  config.erase("vocab_size");
  write_file(at("kinds.json"), config.dump());
  ASSERT_EQ(alambic("init --model-config " + at("kinds.json") + " --tokenizer " + kTokenizer +
                    " --out " + at("kinds"))
                .code,
            0);
  const Outcome cut = alambic("init --from " + at("kinds") + " --layers 2 --out " + at("cut"));
  ASSERT_EQ(cut.code, 0) << cut.text;
  const Json found = Json::parse(read_file(at("cut/config.json")));
  EXPECT_EQ(found["layer_types"], Json({"sliding_attention", "heavily_compressed_attention"}));
  EXPECT_EQ(found["mlp_layer_types"], Json({"hash_moe", "moe"}));
}

struct BadModel {
  const char* name;
  std::function<void(const fs::path& model)> spoil;
  std::vector<std::string> words;
};

TEST_F(MainJob, RefusesBrokenModelsByName) {
  const auto edit = [](const fs::path& file, const std::string& key, const Json& value) {
    Json json = Json::parse(read_file(file));
    json[key] = value;
    write_file(file, json.dump());
  };
  const BadModel cases[] = {
      {"missing", [](const fs::path& m) { fs::remove_all(m); }, {"missing"}},
      {"truncated",
       [](const fs::path& m) {
         fs::resize_file(m / "model.safetensors", fs::file_size(m / "model.safetensors") - 100);
       },
       {"model.safetensors"}},
      {"shape",
       [&](const fs::path& m) { edit(m / "config.json", "intermediate_size", 32); },
       {"mlp", "[32, 16]", "[24, 16]"}},
      {"layers",
       [&](const fs::path& m) { edit(m / "config.json", "num_hidden_layers", 3); },
       {"num_hidden_layers", "2 layers"}},
      {"architecture",
       [&](const fs::path& m) {
         edit(m / "config.json", "model_type", "mamba");
         edit(m / "config.json", "architectures", {"MambaForCausalLM"});
       },
       {"MambaForCausalLM"}},
      {"tokenizer",
       [](const fs::path& m) { fs::remove(m / "tokenizer.json"); },
       {"tokenizer.json"}},
  };
  for (const BadModel& bad : cases) {
    const fs::path model = folder / "bad" / bad.name;
    fs::create_directories(folder / "bad");
    fs::copy(folder / "teacher", model);
    bad.spoil(model);
    refuse("generate --model " + model.string() + " --prompt 1" + kMachine, bad.words);
    refuse("train --model " + model.string() + " --data " + at("rows.jsonl") + " --out " +
               at("never") + kMachine,
           bad.words);
  }
  EXPECT_FALSE(fs::exists(folder / "never"));
}

TEST_F(MainJob, RefusesBadOptionsAndDataByName) {
  const std::string rows = at("rows.jsonl"), distill = distill_command("never");
  refuse(distill + " --learning-rat 1", {"unknown option --learning-rat", "--learning-rate"});
  refuse(distill + " --objective forward_lk", {"forward_kl"});
  refuse(distill + " --beta 0.3", {"--beta", "--objective reverse_kl", "jsd"});
  refuse(distill + " --alpha 0.3", {"--alpha", "--objective reverse_kl", "skew_kl"});
  refuse(distill + " --normalize-jsd", {"--normalize-jsd", "jsd"});
  refuse(distill + " --objective jsd --beta 1 --normalize-jsd", {"--normalize-jsd", "--beta 1"});
  refuse(distill + " --kd-topk-by both", {"--kd-topk-by", "--kd-topk"});
  refuse(distill + " --ce-weight 0.5", {"--ce-weight", "--lmbda 1"});
  refuse(distill + " --objective 0.7*tvd+0.2*akl", {"sum to 0.9", "expected 1"});
  refuse(distill + " --objective 0.7*tvd+0.3*tvd", {"tvd is there twice"});
  refuse(distill + " --objective x*tvd+0.3*akl", {"'x' is not a positive number"});
  refuse(distill + " --objective 0.5*tvd+", {"there is no objective ''"});
  refuse(distill + " --lmbda 0.5", {"prompts.jsonl:1", "completion"});
  refuse(with_options(distill, "--lmbda 0.5 --data " + at("no_completion.jsonl")),
         {"no_completion.jsonl:13", "completion"});
  refuse(distill + " --data " + at("no_prompt.jsonl"),
         {"no_prompt.jsonl:13", "prompt", "question"});
  refuse(distill + " --data " + at("long.jsonl"), {"long.jsonl:13", "200", "64"});
  refuse(distill + " --data " + at("none.jsonl"), {"none.jsonl", "No such file or directory"});
  refuse(distill + " --adam-beta2 1", {"--adam-beta2"});
  refuse(train_command("never", "--sequence-length 8"), {"--sequence-length"});
  refuse(train_command("never", "--data " + at("text.txt") + " --sequence-length 65"),
         {"65", "64"});
  refuse("eval --model " + at("teacher") + " --data " + at("text.txt") + " --sequence-length 1" +
             kMachine,
         {"window of 1"});
  refuse("generate --model " + at("teacher") + " --prompt ''" + kMachine, {"empty"});
  EXPECT_FALSE(fs::exists(folder / "never"));
}

// The engine stops at the student's context, where a shorter teacher cannot follow.
TEST_F(MainJob, RefusesATeacherThatCannotSeeTheWholeCompletion) {
  const std::string command = "distill --student " + at("teacher") + " --teacher " + at("short") +
                              " --data " + at("prompts.jsonl") + " --out " + at("never") + kMachine;
  refuse(command + " --max-completion-length 40", {"context of 16", "--max-completion-length"});
  EXPECT_FALSE(fs::exists(folder / "never"));
}

TEST_F(MainJob, RefusesATeacherOfAnotherVocabulary) {
  succeed("init --model-config " + at("teacher.json") + " --characters " + at("text.txt") +
          " --out " + at("characters"));
  refuse("distill --student " + at("characters") + " --teacher " + at("teacher") + " --data " +
             at("prompts.jsonl") + " --out " + at("never") + kMachine,
         {"vocabular", "characters", "teacher", "573"});
}

// transformers writes the same text from the same weights (data/README.md).
TEST(Stories, AreToldAsTransformersTellsThem) {
  const auto shared = shared_data();
  if (!shared) GTEST_SKIP() << "no ../shared";
  const std::string start = "Once upon a time, there was a";
  const Outcome told =
      alambic("generate --model " + (*shared / "data/stories260K/hf").string() + " --prompt '" +
              start + "' --temperature 0 --max-new-tokens 40 2>/dev/null" + kMachine);
  EXPECT_EQ(told.code, 0);
  EXPECT_NE(told.text.find(start + " little girl named Lily. She loved to play outside in the "
                                   "park. One day, she saw a big, red ball."),
            std::string::npos)
      << told.text;
}

// The whole of the main job: a student cut from a real teacher comes back towards it.
TEST(Stories, AreLearnedBackByAStudentCutFromTheTeacher) {
  const auto shared = shared_data();
  if (!shared) GTEST_SKIP() << "no ../shared";
  std::string name = fs::temp_directory_path() / "alambic_XXXXXX";
  const fs::path folder = ::mkdtemp(name.data());
  const std::string teacher = (*shared / "data/stories260K/hf").string();
  std::string prompts, held_out;
  for (const char* who : {"girl", "boy", "cat", "dog", "bird", "fox"}) {
    for (const char* person : {"Lily", "Tom", "Max", "Mia", "Ben", "Sue"}) {
      const std::string text =
          std::string("Once upon a time, there was a little ") + who + " named " + person + ".";
      (person[0] == 'S' ? held_out : prompts) += Json{{"prompt", text}}.dump() + "\n";
    }
  }
  write_file(folder / "prompts.jsonl", prompts);
  write_file(folder / "held_out.jsonl", held_out);
  ASSERT_EQ(
      alambic("init --from " + teacher + " --layers 2 --out " + (folder / "student").string()).code,
      0);
  const Outcome run =
      alambic("distill --student " + (folder / "student").string() + " --teacher " + teacher +
              " --data " + (folder / "prompts.jsonl").string() + " --valid-data " +
              (folder / "held_out.jsonl").string() + " --out " + (folder / "run").string() +
              " --max-steps 40 --valid-every 1 --batch-size 16 --max-completion-length 32"
              " --learning-rate 2e-3 --seed 1" +
              kMachine);
  ASSERT_EQ(run.code, 0) << run.text;
  const std::string metrics = read_file(folder / "run/metrics.jsonl");
  const double first = Json::parse(metrics.substr(0, metrics.find('\n')))["valid_reverse_kl"];
  const double last = last_line(folder / "run/metrics.jsonl")["valid_reverse_kl"];
  EXPECT_LT(last, 0.75 * first) << first;
  fs::remove_all(folder);
}

}  // namespace
}  // namespace alambic::main_job_test
