#include "alambic/jobs/evaluation.h"

#include <gtest/gtest.h>

#include <map>

#include "alambic/base/temporary_folder.h"
#include "alambic/model/tiny.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic::evaluation_test {
namespace {

const fs::path tokenizer_folder =
    fs::path(ALAMBIC_SOURCE_DIR) / "recipes" / "word_problems" / "tokenizer";

// A model that counts its forward passes.
struct CountingModel : Model {
  std::unique_ptr<Model> model;
  mutable int64_t passes = 0;

  explicit CountingModel(std::unique_ptr<Model> counted) : model(std::move(counted)) {
    config = model->config;
  }
  ModelShape shape() const override { return model->shape(); }
  void visit(const TensorVisitor& visitor) override { model->visit(visitor); }
  Tensor hidden_rows(const Pass& pass) const override {
    ++passes;
    return model->hidden(pass);
  }
  Head head() const override { return model->head(); }
  double init_deviation(const std::string& name) const override {
    return model->init_deviation(name);
  }
};

Pretrained small_model() {
  Pretrained loaded{.tokenizer = Tokenizer::load(tokenizer_folder), .stop_tokens = {0, 5, 6, 7}};
  loaded.vocabulary = loaded.tokenizer.size();
  loaded.model =
      std::make_unique<CountingModel>(random_model(small_llama_config(loaded.vocabulary), 4));
  return loaded;
}

// The figures, and the forward passes that they took.
struct Measured {
  std::map<std::string, double> figures;
  int64_t passes = 0;
};

Measured measure(const TaskEvaluation& task) {
  const Pretrained loaded = small_model();
  const auto& counting = dynamic_cast<const CountingModel&>(*loaded.model);
  const Metrics figures = evaluate_task(loaded, task);
  return {.figures = {figures.begin(), figures.end()}, .passes = counting.passes};
}

struct EvaluationTest : testing::Test {
  TemporaryFolder folder;
  TaskEvaluation task;

  EvaluationTest() {
    const Tokenizer tokenizer = Tokenizer::load(tokenizer_folder);
    const fs::path teacher = folder.path() / "teacher";
    save_model(*random_model(small_llama_config(tokenizer.size()), 5), teacher, nullptr);
    tokenizer.save_to(teacher);
    write_file(folder.path() / "rows.jsonl", "{\"prompt\": \"12\"}\n{\"prompt\": \"345\"}\n");
    task.model = teacher;
    task.data = Dataset::open(folder.path() / "rows.jsonl");
    task.engine.sampling = {.temperature = 1, .max_new_tokens = 12};
    task.completions_file = folder.path() / "completions.jsonl";
  }
};

// Prevents completions that are written once more for the teacher: it costs the model one pass
// over those that are there.
TEST_F(EvaluationTest, WritesCompletionsOnceForScoresAndTeacher) {
  const Measured alone = measure(task);
  const std::string written = read_file(task.completions_file);
  task.teacher = folder.path() / "teacher";
  const Measured taught = measure(task);
  EXPECT_EQ(taught.passes, alone.passes + 1);
  EXPECT_EQ(read_file(task.completions_file), written);
  EXPECT_FALSE(alone.figures.contains("reverse_kl"));
  EXPECT_GT(taught.figures.at("reverse_kl"), 0);
  EXPECT_EQ(taught.figures.at("tokens"), alone.figures.at("tokens"));
}

// Prevents a bar without an end, and one that begins when the first tokens are there.
TEST_F(EvaluationTest, TellsHowFarItIs) {
  std::vector<int64_t> done;
  evaluate_task(small_model(), task, [&](const EngineProgress& progress, int64_t completions) {
    EXPECT_EQ(completions, 2);
    done.push_back(progress.completions_done);
  });
  ASSERT_GE(done.size(), 2u);
  EXPECT_EQ(done.front(), 0);
  EXPECT_EQ(done.back(), 2);
}

}  // namespace
}  // namespace alambic::evaluation_test
