// Trainable tiny models and what tests compare of them.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>

#include "alambic/text/tokenizer/tokenizer.h"
#include "alambic/train/examples.h"
#include "alambic/train/recorder.h"
#include "tests/model_fixture.h"

namespace alambic {

inline std::unique_ptr<Model> trainable_model(uint64_t seed = 1, double spread = 1.5,
                                              at::ScalarType dtype = at::kFloat) {
  std::unique_ptr<Model> model = random_model(small_llama_config(), seed, spread, dtype);
  model->visit([](const std::string&, Tensor& tensor) { tensor.requires_grad_(true); });
  return model;
}

inline Tensor weights_of(Model& model) {
  std::vector<Tensor> all;
  model.visit([&](const std::string&, Tensor& tensor) {
    all.push_back(tensor.detach().flatten().clone());
  });
  return at::cat(all);
}

inline Tensor gradients_of(Model& model) {
  std::vector<Tensor> all;
  model.visit([&](const std::string& name, Tensor& tensor) {
    EXPECT_TRUE(tensor.grad().defined()) << name;
    if (tensor.grad().defined()) all.push_back(tensor.grad().flatten().clone());
  });
  return at::cat(all);
}

/// The same bytes, so that 0 and -0 differ and NaNs compare.
inline bool same_bytes(const Tensor& a, const Tensor& b) {
  const Tensor left = a.contiguous(), right = b.contiguous();
  return left.nbytes() == right.nbytes() && left.scalar_type() == right.scalar_type() &&
         std::memcmp(left.const_data_ptr(), right.const_data_ptr(), left.nbytes()) == 0;
}

/// Prompts of 1 to 4 tokens and completions of 1 to 5, ids below 50.
inline std::vector<TokenizedExample> make_examples(size_t count) {
  const auto token = [](size_t row, size_t place) {
    return static_cast<int32_t>(
        uniform_below({.seed = 9, .sample = row, .position = static_cast<uint32_t>(place)}, 50));
  };
  std::vector<TokenizedExample> examples(count);
  for (size_t r = 0; r < count; ++r) {
    examples[r].completion.emplace();
    for (size_t i = 0; i < 1 + r % 4; ++i) examples[r].prompt.push_back(token(r, i));
    for (size_t i = 0; i < 1 + r % 5; ++i) examples[r].completion->push_back(token(r, 10 + i));
  }
  return examples;
}

inline Tokenizer recipe_tokenizer() {
  return Tokenizer::load(std::filesystem::path(ALAMBIC_SOURCE_DIR) /
                         "recipes/word_problems/tokenizer");
}

/// A folder of this test alone, gone with the object.
struct TestFolder {
  std::filesystem::path path;
  TestFolder() {
    std::string name = std::filesystem::temp_directory_path() / "alambic_XXXXXX";
    path = ::mkdtemp(name.data());
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() { std::filesystem::remove_all(path); }
};

/// Keeps a run's figures.
struct KeepingRecorder : Recorder {
  std::vector<Metrics> rows;
  std::vector<nlohmann::ordered_json> samples;
  std::optional<int64_t> resumed_after;

  void begin(std::optional<int64_t> step) override { resumed_after = step; }
  void phase(int64_t, const std::string&) override {}
  void step(const Metrics& row) override { rows.push_back(row); }
  void sample(const nlohmann::ordered_json& row) override { samples.push_back(row); }
  void end() override {}

  double figure(size_t row, const std::string& name) const {
    for (const auto& [key, value] : rows.at(row)) {
      if (key == name) return value;
    }
    ADD_FAILURE() << "row " << row << " has no " << name;
    return 0;
  }
};

}  // namespace alambic
