// A student that is a GGUF file: an adapter is trained on its blocks.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "alambic/base/files.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/io/safetensors.h"
#include "tests/program/program.h"

namespace alambic::quantized_student_test {
namespace {

using Json = nlohmann::json;

struct QuantizedStudent : testing::Test {
  TemporaryFolder folder;

  std::string at(const std::string& name) const { return (folder.path() / name).string(); }

  static Outcome succeed(const std::string& arguments) {
    Outcome outcome = alambic(arguments);
    EXPECT_EQ(outcome.code, 0) << arguments << "\n" << outcome.text;
    return outcome;
  }

  // A student in Q8_0, and the folder of its numbers.
  void SetUp() override {
    const Json config = {{"architectures", {"LlamaForCausalLM"}},
                         {"model_type", "llama"},
                         {"hidden_size", 64},
                         {"intermediate_size", 128},
                         {"num_hidden_layers", 2},
                         {"num_attention_heads", 2},
                         {"max_position_embeddings", 64},
                         {"rms_norm_eps", 1e-5},
                         {"initializer_range", 0.1},
                         {"tie_word_embeddings", true},
                         {"eos_token_id", 0}};
    write_file(at("config.json"), config.dump());
    succeed("init --model-config " + at("config.json") + " --tokenizer " +
            (fs::path(ALAMBIC_SOURCE_DIR) / "recipes/word_problems/tokenizer").string() +
            " --seed 1 --out " + at("teacher"));
    succeed("convert --model " + at("teacher") + " --type q8_0 --out " + at("base.gguf"));
    succeed("convert --model " + at("base.gguf") + " --out " + at("decoded"));
    std::string rows;
    for (int i = 0; i < 8; ++i) {
      rows += Json{{"prompt", std::to_string(i) + " + 1 ="},
                   {"completion", " #### " + std::to_string(i + 1)}}
                  .dump() +
              "\n";
    }
    write_file(at("rows.jsonl"), rows);
    write_file(at("text.txt"), "1 + 1 = #### 2\n3 + 1 = #### 4\n");
  }

  std::string training(const std::string& model, const std::string& out) const {
    return "train --model " + at(model) + " --data " + at("rows.jsonl") + " --out " + at(out) +
           " --lora-rank 4 --batch-size 4 --learning-rate 1e-2 --save-every 2 --device cpu"
           " --dtype float32 --threads 1 ";
  }
  std::string distillation(const std::string& model, const std::string& out) const {
    return "distill --student " + at(model) + " --teacher " + at("teacher") + " --data " +
           at("rows.jsonl") + " --out " + at(out) +
           " --lora-rank 4 --batch-size 4 --learning-rate 1e-2 --max-completion-length 6"
           " --max-steps 3 --device cpu --dtype float32 --threads 1 ";
  }

  std::vector<double> losses(const std::string& run) const {
    std::istringstream lines(read_file(folder.path() / run / "metrics.jsonl"));
    std::vector<double> found;
    for (std::string line; std::getline(lines, line);) {
      found.push_back(Json::parse(line).at("loss"));
    }
    return found;
  }
  void expect_same_losses(const std::string& run, const std::string& other) const {
    const std::vector<double> found = losses(run), expected = losses(other);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-4) << i;
  }
  std::string adapter(const std::string& run) const {
    return read_file(folder.path() / run / "adapter/adapter_model.safetensors");
  }
};

// Prevents: an adapter on blocks that learns otherwise than on their numbers, a run that ends with
// another model than it trained, or that cannot go on.
TEST_F(QuantizedStudent, TrainsAnAdapterAsItsDecodedWeightsDo) {
  succeed(training("base.gguf", "run") + "--max-steps 6");
  succeed(training("decoded", "other") + "--max-steps 6");
  expect_same_losses("run", "other");
  EXPECT_LT(losses("run").back(), losses("run").front());
  // What the run leaves is whole, and is the base with the adapter.
  const auto loss = [&](const std::string& model) {
    const std::string text = succeed("eval --model " + model + " --data " + at("text.txt") +
                                     " --device cpu --dtype float32 --json")
                                 .text;
    return Json::parse(text.substr(text.find('{'))).at("cross_entropy").get<double>();
  };
  EXPECT_NEAR(loss(at("run/model")), loss(at("base.gguf") + " --adapter " + at("run/adapter")),
              1e-4);
  EXPECT_LT(loss(at("run/model")), loss(at("base.gguf")));
}

TEST_F(QuantizedStudent, GoesOnWhereItStopped) {
  succeed(training("base.gguf", "whole") + "--max-steps 4");
  succeed(training("base.gguf", "stopped") + "--max-steps 4");
  fs::remove_all(folder.path() / "stopped/checkpoints/step-00000004");
  fs::remove_all(folder.path() / "stopped/model");
  fs::remove_all(folder.path() / "stopped/adapter");
  succeed(training("base.gguf", "stopped") + "--max-steps 4 --resume");
  EXPECT_EQ(adapter("stopped"), adapter("whole"));
}

TEST_F(QuantizedStudent, IsDistilledInto) {
  succeed(distillation("base.gguf", "run"));
  succeed(distillation("decoded", "other"));
  expect_same_losses("run", "other");
}

// Prevents: a plan that counts the numbers of a base whose blocks stay in their file.
TEST_F(QuantizedStudent, IsPlannedForAsItsFileIs) {
  const auto weights = [&](const std::string& model) {
    std::string command = distillation(model, "run");
    command = "check" + command.substr(command.find(' '));
    const std::string text = succeed(command + "--json 2>/dev/null").text;
    const size_t begin = text.find("student's weights in files ");
    EXPECT_NE(begin, std::string::npos) << text;
    return text.substr(begin, text.find_first_of(",\"", begin + 10) - begin);
  };
  EXPECT_NE(weights("base.gguf"), weights("decoded"));
}

}  // namespace
}  // namespace alambic::quantized_student_test
