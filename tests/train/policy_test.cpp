// Objectives over drawn tokens through whole steps.
#include "alambic/objective/policy.h"

#include "alambic/base/error.h"
#include "alambic/teacher/local.h"
#include "alambic/train/distillation.h"
#include "tests/golden.h"
#include "tests/train/task_fixture.h"

namespace alambic::policy_test {
namespace {

const auto silent = [](const std::string&) {};

struct PolicyTask : testing::Test {
  std::shared_ptr<const Teacher> teacher = local(2), other = local(5);
  Tokenizer tokenizer = recipe_tokenizer();
  DistillationSettings options{.divergence = {.terms = {}},
                               .policy = {.terms = {{PolicyKind::sampled_reverse_kl}}},
                               .batch_size = 6,
                               .seed = 3};

  PolicyTask() {
    options.engine = {.stop_tokens = {0, 1}, .vocabulary = 50, .seed = 3};
    options.engine.sampling.max_new_tokens = 8;
  }
  static std::shared_ptr<const Teacher> local(uint64_t seed) {
    return std::make_shared<LocalTeacher>(random_model(small_llama_config(), seed), 50);
  }
  std::unique_ptr<TrainingTask> task(Model& student, const TeacherMixture& teachers) const {
    return distillation_task(student, teachers, make_examples(10), tokenizer, options);
  }
  struct Step {
    StepReport report;
    Tensor gradients;
  };
  Step step(const TeacherMixture& teachers, uint64_t student_seed = 1) const {
    const auto student = trainable_model(student_seed);
    Step step{.report = task(*student, teachers)->forward_backward(1, silent)};
    step.gradients = gradients_of(*student);
    return step;
  }
};

// A slip of position between sampler, student and teacher shows as an advantage.
TEST_F(PolicyTask, TeachesNothingToTheTeacherItself) {
  for (const double temperature : {1.0, 0.7}) {
    options.policy.temperature = options.engine.sampling.temperature = temperature;
    const Step same = step(*teacher, 2);
    EXPECT_NEAR(same.report.loss, 0, 1e-5);
    EXPECT_LT(same.gradients.abs().max().item<double>(), 1e-4);
    EXPECT_EQ(same.report.means.at("clip_share"), 0);
  }
}

// Rows of a micro-batch that meet another row's log-probabilities, or a mean over each.
TEST_F(PolicyTask, HasTheSameGradientsInMicroBatches) {
  const Step whole = step(*teacher);
  EXPECT_GT(whole.gradients.abs().max().item<double>(), 1e-2);
  for (const int64_t size : {1, 4}) {
    options.micro_batch_size = size;
    const Step parts = step(*teacher);
    EXPECT_NEAR(parts.report.loss, whole.report.loss, 1e-5);
    EXPECT_LT(distance(parts.gradients, whole.gradients), 1e-4);
  }
}

// With weights the objective is the weighted mean of the divergences (docs/teachers.md).
TEST_F(PolicyTask, AveragesTeachersInTheLoss) {
  const Step a = step(*teacher), b = step(*other);
  const Step both = step(TeacherMixture::averaged({{teacher, 0.3}, {other, 0.7}}));
  EXPECT_NEAR(both.report.loss, 0.3 * a.report.loss + 0.7 * b.report.loss, 1e-5);
  EXPECT_LT(distance(both.gradients, 0.3 * a.gradients + 0.7 * b.gradients), 1e-4);
}

// Terms over the vocabulary and over drawn tokens share completions, normalizer and graph.
TEST_F(PolicyTask, AddsToADivergence) {
  const Step sampled = step(*teacher);
  options.policy.terms[0].weight = 0.25;
  options.divergence.terms = {{DivergenceKind::forward_kl, 0, 0.75}};
  const Step mixed = step(*teacher);
  options.policy.terms.clear();
  options.divergence.terms[0].weight = 1;
  const Step exact = step(*teacher);
  EXPECT_LT(distance(mixed.gradients, 0.25 * sampled.gradients + 0.75 * exact.gradients), 1e-4);
  EXPECT_NEAR(mixed.report.loss, 0.25 * sampled.report.loss + 0.75 * exact.report.loss, 1e-5);
}

// Completions of one token have one context a prompt, so the mean over steps goes to the exact
// gradient, whatever is drawn. The score is standard normal: beyond 4.5 for 7e-6 of seeds.
TEST_F(PolicyTask, HasTheExactGradientInTheMeanOverSteps) {
  options.engine.sampling.max_new_tokens = 1;
  options.batch_size = 10;  // every prompt
  options.num_generations = 8;
  const auto student = trainable_model();
  const auto gradient = [&](TrainingTask& task, int64_t step) {
    student->visit([](const std::string&, Tensor& tensor) { tensor.mutable_grad() = Tensor(); });
    task.forward_backward(step, silent);
    return gradients_of(*student).to(at::kDouble);
  };
  const auto drawn = task(*student, *teacher);
  options.divergence.terms = {{}};
  options.policy.terms.clear();
  options.num_generations = 1;
  const Tensor exact = gradient(*task(*student, *teacher), 0);
  constexpr int64_t steps = 150;
  double sum = 0, squares = 0;
  for (int64_t s = 0; s < steps; ++s) {
    const double along = (gradient(*drawn, s) * exact).sum().item<double>();
    sum += along;
    squares += along * along;
  }
  const double mean = sum / steps, error = std::sqrt((squares / steps - mean * mean) / steps);
  const double expected = exact.square().sum().item<double>();
  EXPECT_LT(std::abs(mean - expected) / error, 4.5) << mean << " against " << expected;
  EXPECT_LT(error, 0.1 * expected);
}

// MiniLLM: the exact term, the long-term one and completions in which the teacher has its say.
TEST_F(PolicyTask, LooksAheadAndMixesTheTeacherIn) {
  options.policy.terms = {{PolicyKind::long_term_kl}};
  const Step ahead = step(*teacher);
  options.divergence.terms = {{}};
  const Step both = step(*teacher);
  EXPECT_TRUE(both.report.means.contains("long_term_kl") &&
              both.report.means.contains("reverse_kl"));
  options.micro_batch_size = 2;
  EXPECT_LT(distance(step(*teacher).gradients, both.gradients), 1e-4);
  options.policy.terms.clear();
  EXPECT_LT(distance(both.gradients, ahead.gradients + step(*teacher).gradients), 1e-4);

  options.policy.terms = {{PolicyKind::long_term_kl}};
  const auto model = random_model(small_llama_config(), 2);
  options.engine.mixed_teacher = {.model = model.get(), .share = 0.2};
  const Step mixed = step(*teacher);
  EXPECT_GT(distance(mixed.gradients, both.gradients), 1e-3);
  EXPECT_EQ(mixed.report.means.at("clip_share"), 0) << "a weight is not a policy that has moved";
  // A student that is its teacher draws from itself whatever the share.
  const Step same = step(*teacher, 2);
  EXPECT_NEAR(same.report.loss, 0, 1e-5);
  EXPECT_LT(same.gradients.abs().max().item<double>(), 1e-4);
}

// Bug: new completions, the teacher asked again, or a ratio that forgets the steps in between.
TEST_F(PolicyTask, LearnsSeveralTimesFromTheSameCompletions) {
  options.num_iterations = 3;
  const auto student = trainable_model();
  const auto task = this->task(*student, *teacher);
  const StepReport first = task->forward_backward(0, silent);
  EXPECT_EQ(first.means.at("clip_share"), 0);
  EXPECT_FALSE(first.samples.empty());
  EXPECT_TRUE(task->can_checkpoint_after(0) && task->can_checkpoint_after(3));
  EXPECT_FALSE(task->can_checkpoint_after(1) || task->can_checkpoint_after(2));
  {
    const at::NoGradGuard no_gradient;
    student->visit([](const std::string&, Tensor& tensor) { tensor.add_(tensor.grad(), -0.1); });
  }
  std::vector<std::string> phases;
  const StepReport second =
      task->forward_backward(1, [&](const std::string& phase) { phases.push_back(phase); });
  EXPECT_EQ(second.tokens, first.tokens);
  EXPECT_TRUE(second.samples.empty());
  EXPECT_GT(second.means.at("clip_share"), 0);
  EXPECT_EQ(phases, std::vector<std::string>{"learn"});
  EXPECT_FALSE(task->forward_backward(3, silent).samples.empty());
}

// A checkpoint within a round would silently draw other completions.
TEST_F(PolicyTask, RefusesToBeginWithinARound) {
  options.num_iterations = 2;
  const auto student = trainable_model();
  EXPECT_THROW(task(*student, *teacher)->forward_backward(1, silent), Error);
}

}  // namespace
}  // namespace alambic::policy_test
