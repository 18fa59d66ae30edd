#include "alambic/train/hidden_match.h"

#include "alambic/objective/divergence_ref.h"
#include "alambic/selftest/problem.h"
#include "alambic/teacher/local.h"
#include "alambic/train/distillation.h"
#include "tests/golden.h"
#include "tests/train/task_fixture.h"

namespace alambic::hidden_match_test {
namespace {

const auto silent = [](const std::string&) {};

// A teacher of three layers and another width.
Json wide_config() {
  Json config = small_llama_config();
  config["hidden_size"] = 48;
  config["num_hidden_layers"] = 3;
  return config;
}

struct HiddenMatchTest : testing::Test {
  std::shared_ptr<const Model> model = random_model(wide_config(), 2);
  std::vector<TokenizedExample> rows = make_examples(7);
  Tokenizer tokenizer = recipe_tokenizer();
  DistillationSettings options{.lmbda = 0, .batch_size = 7, .seed = 3};

  HiddenMatchTest() {
    options.engine = {.stop_tokens = {0, 1}, .vocabulary = 50, .seed = 3};
    options.divergence.terms.clear();
    options.hidden = {.weight = 0.5,
                      .pairs = {{.student = 0, .teacher = 1}, {.student = 1, .teacher = 2}},
                      .student_width = 32,
                      .teacher_width = 48,
                      .seed = 3};
  }

  struct Learned {
    StepReport report;
    Tensor of_student;
    NamedTensors projections;
  };
  Learned forward_backward(std::shared_ptr<const Model> teacher) const {
    const LocalTeacher wide_teacher(std::move(teacher), 50, {1, 2});
    const auto student = trainable_model();
    const auto task = distillation_task(*student, wide_teacher, rows, tokenizer, options);
    Learned learned{.report = task->forward_backward(0, silent),
                    .projections = task->extra_parameters()};
    std::vector<Tensor> parts;
    student->visit([&](const std::string&, Tensor& tensor) {  // the final norm learns nothing here
      if (tensor.grad().defined()) parts.push_back(tensor.grad().flatten());
    });
    learned.of_student = at::cat(parts);
    return learned;
  }

  // From passes over whole sequences, row by row, as the definition says.
  double expected(const NamedTensors& projections) const {
    const auto student = trainable_model();
    double sum = 0, graded = 0;
    for (const TokenizedExample& row : rows) {
      const Rollouts rollouts = given_rollouts({row}, at::kCPU);
      const auto outputs_of = [&](const Model& of, std::vector<int64_t> layers) {
        const at::NoGradGuard no_grad;
        LayerOutputs outputs{.layers = std::move(layers)};
        Pass pass(rollouts.sequences);
        pass.outputs = &outputs;
        of.hidden(pass);
        return outputs.x_ND;
      };
      const auto mine = outputs_of(*student, {0, 1}), theirs = outputs_of(*model, {1, 2});
      const auto places = static_cast<int64_t>(row.prompt.size()) - 1;
      const auto completion = static_cast<int64_t>(row.completion->size());
      graded += static_cast<double>(completion);
      for (int64_t n = places; n < places + completion; ++n) {
        for (size_t pair = 0; pair < 2; ++pair) {
          const auto layer = static_cast<int64_t>(pair);
          sum += 0.5 * reference::hidden_mse(
                           selftest::row_of(mine.at(layer)[n].to(at::kDouble)),
                           selftest::rows_of(projections[pair].second.detach().to(at::kDouble)),
                           selftest::row_of(theirs.at(layer + 1)[n].to(at::kDouble)));
        }
      }
    }
    return sum / graded;
  }
};

// Bug: prompt tokens compared, another layer's output, the mean of micro-batches' means.
TEST_F(HiddenMatchTest, IsTheMeanOverGradedTokensAndPairs) {
  for (const int64_t size : {0, 2}) {
    options.micro_batch_size = size;
    const Learned learned = forward_backward(model);
    const double mean = expected(learned.projections);
    EXPECT_GT(mean, 0.1);
    EXPECT_NEAR(learned.report.means.at("hidden_mse"), mean, 1e-4 * mean);
    EXPECT_NEAR(learned.report.loss, 0.5 * mean, 1e-4 * mean);
  }
}

// Bug: gradients that depend on how a step is cut, or on running layers twice. Float32 sums in
// another order differ by up to 1e-5 with AVX2.
TEST_F(HiddenMatchTest, HasTheSameGradientsInMicroBatchesAndRecomputed) {
  options.divergence = generalized_jsd(0.5);
  const Learned whole = forward_backward(model);
  options.micro_batch_size = 2;
  const Learned parts = forward_backward(model);
  options.micro_batch_size = 0;
  options.recompute_layers = true;
  const Learned twice = forward_backward(model);
  EXPECT_LT(distance(twice.of_student, whole.of_student), 2e-6);
  EXPECT_GT(whole.of_student.abs().max().item<double>(), 0.1);
  EXPECT_LT(distance(parts.of_student, whole.of_student), 2e-5);
  for (size_t i = 0; i < 2; ++i) {
    const Tensor gradient = whole.projections[i].second.grad();
    EXPECT_GT(gradient.abs().max().item<double>(), 1e-3);
    EXPECT_LT(distance(parts.projections[i].second.grad(), gradient), 2e-5);
  }
}

TEST_F(HiddenMatchTest, TeachesNothingToTheTeacherItself) {
  options.hidden.pairs = {{.student = 0, .teacher = 0}, {.student = 1, .teacher = 1}};
  options.hidden.teacher_width = 32;
  const auto student = trainable_model();
  const std::shared_ptr<const Model> same = trainable_model();
  for (const HiddenMeasure measure : {HiddenMeasure::mse, HiddenMeasure::cosine}) {
    options.hidden.measure = measure;
    const LocalTeacher wide_teacher(same, 50, {0, 1});
    const auto task = distillation_task(*student, wide_teacher, rows, tokenizer, options);
    EXPECT_TRUE(task->extra_parameters().empty());
    EXPECT_NEAR(task->forward_backward(0, silent).loss, 0, 1e-6);
  }
}

}  // namespace
}  // namespace alambic::hidden_match_test
