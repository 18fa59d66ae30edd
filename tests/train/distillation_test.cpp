#include "alambic/train/distillation.h"

#include "alambic/objective/cross_entropy.h"
#include "alambic/teacher/local.h"
#include "tests/golden.h"
#include "tests/train/task_fixture.h"

namespace alambic::distillation_test {
namespace {

const auto silent = [](const std::string&) {};

struct DistillationTaskTest : testing::Test {
  LocalTeacher teacher{random_model(small_llama_config(), 2), 50};
  Tokenizer tokenizer = recipe_tokenizer();
  DistillationSettings options{.batch_size = 6, .seed = 3};

  DistillationTaskTest() {
    options.engine = {.stop_tokens = {0, 1}, .vocabulary = 50, .seed = 3};
    options.engine.sampling.max_new_tokens = 8;
  }
  std::unique_ptr<TrainingTask> task(Model& student) {
    return distillation_task(student, teacher, make_examples(10), tokenizer, options);
  }
};

// A draw per micro-batch or per rank would mix both kinds in a step.
TEST(OnPolicy, IsDrawnWithTheShareLmbda) {
  for (const double lmbda : {0.0, 0.3, 0.5, 1.0}) {
    double count = 0;
    for (int64_t step = 0; step < 10000; ++step) count += on_policy(5, step, lmbda);
    // Five standard deviations of a share of 10,000; exact at both ends.
    EXPECT_NEAR(count / 10000, lmbda, 5 * std::sqrt(lmbda * (1 - lmbda) / 10000));
  }
}

TEST(GivenRollouts, GradeTheCompletionAlone) {
  const std::vector<TokenizedExample> rows = {{.prompt = {11, 12}, .completion = {{21, 22}}},
                                              {.prompt = {13}, .completion = {{23}}}};
  const Rollouts rollouts = given_rollouts(rows, at::kCPU);
  const auto list = [](const Tensor& tensor) {
    const Tensor values = tensor.to(at::kLong).contiguous();
    return std::vector<int64_t>(values.data_ptr<int64_t>(),
                                values.data_ptr<int64_t>() + values.numel());
  };
  using Numbers = std::vector<int64_t>;
  EXPECT_EQ(list(rollouts.sequences.tokens_N), (Numbers{11, 12, 21, 22, 13, 23}));
  EXPECT_EQ(rollouts.sequences.offsets, (Numbers{0, 4, 6}));
  EXPECT_EQ(list(rollouts.completion_mask_N), (Numbers{0, 0, 1, 1, 0, 1}));
  EXPECT_EQ(list(rollouts.loss_positions_M()), (Numbers{1, 2, 4}));
  EXPECT_EQ(list(rollouts.targets_M()), (Numbers{21, 22, 23}));
}

// Any slip of position, head or temperature between the two models shows as a loss.
TEST_F(DistillationTaskTest, TeachesNothingToTheTeacherItself) {
  for (const double beta : {0.0, 0.5, 1.0}) {
    options.divergence = generalized_jsd(beta, 2);
    const auto student = trainable_model(2);
    const StepReport report = task(*student)->forward_backward(0, silent);
    EXPECT_GT(report.tokens, 0);
    EXPECT_NEAR(report.loss, 0, 1e-6) << beta;
    EXPECT_LT(gradients_of(*student).abs().max().item<double>(), 1e-5) << beta;
    EXPECT_NEAR(report.means.at("agreement"), 1, 1e-12);
  }
}

TEST_F(DistillationTaskTest, HasTheSameGradientsInMicroBatches) {
  for (const double lmbda : {1.0, 0.0}) {
    options.lmbda = lmbda;
    options.micro_batch_size = 0;
    const auto student = trainable_model();
    const StepReport whole = task(*student)->forward_backward(1, silent);
    const Tensor expected = gradients_of(*student);
    EXPECT_GT(expected.abs().max().item<double>(), 1e-3);
    for (const int64_t size : {1, 4, 100}) {
      options.micro_batch_size = size;
      const auto other = trainable_model();
      const StepReport parts = task(*other)->forward_backward(1, silent);
      EXPECT_EQ(parts.tokens, whole.tokens);
      EXPECT_NEAR(parts.loss, whole.loss, 1e-6);
      EXPECT_LT(distance(gradients_of(*other), expected), 2e-6) << size;
      EXPECT_NEAR(parts.means.at("forward_kl"), whole.means.at("forward_kl"), 1e-5);
    }
  }
}

// Cross-entropy on the student's own completions (Liger's default) would teach it its own mistakes.
TEST_F(DistillationTaskTest, AddsCrossEntropyToGivenCompletionsOnly) {
  for (const double lmbda : {0.0, 1.0}) {
    options.lmbda = lmbda;
    const auto gradients = [&](double ce_weight) {
      options.ce_weight = ce_weight;
      const auto student = trainable_model();
      const StepReport report = task(*student)->forward_backward(1, silent);
      EXPECT_EQ(report.means.contains("cross_entropy"), ce_weight > 0 && lmbda == 0);
      return gradients_of(*student);
    };
    const Tensor none = gradients(0), half = gradients(0.5), whole = gradients(1);
    EXPECT_LT(distance(whole - none, 2 * (half - none)), 1e-5);
    EXPECT_EQ(distance(whole, none) > 1e-3, lmbda == 0);
  }
}

// The same completions at every step would be a task learned by heart.
TEST_F(DistillationTaskTest, WritesNewCompletionsEachStepAndTheSameForAStep) {
  const auto student = trainable_model();
  options.batch_size = 10;  // every prompt, so that two steps share theirs
  options.samples_per_step = 10;
  const auto completions = [&](int64_t step) {
    std::map<std::string, std::string> by_prompt;
    for (const auto& row : task(*student)->forward_backward(step, silent).samples) {
      by_prompt[row["prompt"]] = row["completion"];
    }
    return by_prompt;
  };
  EXPECT_EQ(completions(0), completions(0));
  EXPECT_NE(completions(0), completions(1));
}

TEST_F(DistillationTaskTest, WritesSeveralCompletionsToAPrompt) {
  const auto student = trainable_model();
  options.batch_size = 1;
  options.num_generations = 4;
  options.samples_per_step = 4;
  const StepReport report = task(*student)->forward_backward(0, silent);
  ASSERT_EQ(report.samples.size(), 4u);
  std::set<std::string> completions;
  for (const auto& row : report.samples) {
    EXPECT_EQ(row["prompt"], report.samples[0]["prompt"]);
    completions.insert(row["completion"]);
  }
  EXPECT_GT(completions.size(), 1u);
}

// One engine for both: no importance weights are needed because there is nothing to correct.
TEST(Sampler, HasTheTrainersLogProbabilities) {
  for (const Json& config : {small_llama_config(), small_gpt2_config()}) {
    const auto model = random_model(config);
    std::vector<Request> requests;
    for (const TokenizedExample& row : make_examples(9)) {
      requests.push_back({.prompt = row.prompt, .id = requests.size()});
    }
    EngineOptions engine{.stop_tokens = {0, 1}, .vocabulary = 50, .batch = 4, .seed = 8};
    engine.sampling.temperature = 0.7;
    engine.sampling.max_new_tokens = 20;
    const auto completions = generate(*model, requests, engine);
    const Rollouts rollouts = to_rollouts(requests, completions, 0, at::kCPU);
    const Tensor loss_positions_M = rollouts.loss_positions_M();
    const Tensor hidden_MD =
        model->hidden(Pass(rollouts.sequences)).index_select(0, loss_positions_M);
    const Tensor logp_M =
        target_log_probabilities(hidden_MD, model->head(), rollouts.targets_M(), 0.7);
    EXPECT_LT(distance(rollouts.logp_N.index_select(0, loss_positions_M + 1), logp_M), 1e-5);
  }
}

}  // namespace
}  // namespace alambic::distillation_test
