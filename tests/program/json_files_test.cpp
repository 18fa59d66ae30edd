// The JSON files of a person's model, changed at random: a command reads them or says in a sentence
// of its own what is wrong. No library's text, no bug, no signal.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "tests/program/program.h"

namespace alambic::json_files_test {
namespace {

using Json = nlohmann::ordered_json;

fs::path golden(const std::string& name) {
  return fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden" / name;
}

// Words of nlohmann's, simdjson's, the standard library's and libtorch's exceptions.
const std::vector<std::string> library_words = {
    "json.exception", "type must be",        "parse error",     "out of range",   "cannot use",
    "cannot get",     "syntax error",        "basic_string",    "vector::",       "map::at",
    "bad_variant",    "bad optional access", "simdjson",        "INCORRECT_TYPE", "c10",
    "std::",          "terminate",           "filesystem error"};

const std::vector<Json> values = {nullptr,
                                  true,
                                  -1,
                                  0,
                                  3,
                                  2.5,
                                  8.0,
                                  1e300,
                                  "",
                                  "x",
                                  "8",
                                  Json::array(),
                                  Json::object(),
                                  Json::array({nullptr}),
                                  Json::array({1, "a"}),
                                  Json{{"a", 1}},
                                  uint64_t{1} << 63};

// Another value somewhere in the file, or none.
void change(Json& json, std::mt19937& random, int depth = 0) {
  if (json.is_array() && !json.empty() && random() % 3 != 0) {
    return change(json[random() % json.size()], random, depth + 1);
  }
  if (!json.is_object() || json.empty() || (depth > 0 && random() % 3 == 0)) {
    json = values[random() % values.size()];
    return;
  }
  auto entry = json.begin();
  std::advance(entry, random() % json.size());
  const std::string key = entry.key();
  if (random() % 6 == 0) {
    json.erase(key);
    return;
  }
  change(json[key], random, depth + 1);
}

struct Case {
  std::string name, file;
  std::string command;  ///< of it and FOLDER
  fs::path model;
};

std::vector<Case> cases() {
  const fs::path llama = golden("llama"), gemma = golden("gemma3");
  const fs::path words = fs::path(ALAMBIC_SOURCE_DIR) / "recipes/word_problems/tokenizer";
  const std::string tokenize = "tokenize --model FOLDER < " + (llama / "config.json").string();
  return {{"Config", "config.json", "convert --model FOLDER --out FOLDER/m.gguf", llama},
          {"ConfigOfGemma", "config.json", "convert --model FOLDER --out FOLDER/m.gguf", gemma},
          {"Information", "config.json", "info --model FOLDER", llama},
          {"GenerationConfig", "generation_config.json",
           "convert --model FOLDER --out FOLDER/m.gguf", llama},
          {"Tokenizer", "tokenizer.json", tokenize, words},
          {"TokenizerConfig", "tokenizer_config.json", tokenize, words},
          {"Index", "model.safetensors.index.json", "info --model FOLDER", llama}};
}

struct JsonFiles : testing::TestWithParam<Case> {
  fs::path folder = fs::path(testing::TempDir()) / ("alambic_json_files_" + GetParam().name);

  void SetUp() override {
    fs::remove_all(folder);
    fs::copy(GetParam().model, folder);
    if (GetParam().name != "Index") return;
    fs::rename(folder / "model.safetensors", folder / "model-00001-of-00001.safetensors");
    write_file(folder / GetParam().file,
               R"({"metadata": {"total_size": 1}, "weight_map": {"lm_head.weight": )"
               R"("model-00001-of-00001.safetensors"}})");
  }

  void run(int count) {
    const std::string bytes = read_file(folder / GetParam().file);
    std::string command = GetParam().command;
    for (size_t at = 0; (at = command.find("FOLDER")) != std::string::npos;) {
      command.replace(at, 6, folder.string());
    }
    std::mt19937 random(7);
    for (int i = 0; i < count; ++i) {
      Json json = Json::parse(bytes);
      change(json, random);
      std::string text = json.dump(1);
      if (i % 8 == 7) text = text.substr(0, random() % text.size());
      write_file(folder / GetParam().file, text);
      fs::remove(folder / "m.gguf");
      const Outcome outcome = alambic(command);
      EXPECT_TRUE(outcome.code == 0 || outcome.code == 2) << outcome.code << outcome.text << text;
      for (const std::string& words : library_words) {
        EXPECT_EQ(outcome.text.find(words), std::string::npos)
            << words << " in: " << outcome.text << text;
      }
    }
  }
};

TEST_P(JsonFiles, AreReadOrRefusedInOurWords) { run(12); }

using JsonFilesSlow = JsonFiles;
TEST_P(JsonFilesSlow, AreReadOrRefusedInOurWords) { run(400); }

std::string name_of(const testing::TestParamInfo<Case>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Changed, JsonFiles, testing::ValuesIn(cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Changed, JsonFilesSlow, testing::ValuesIn(cases()), name_of);

}  // namespace
}  // namespace alambic::json_files_test
