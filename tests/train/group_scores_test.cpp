// GRPO through whole steps: scores of completions, groups, a reference.
#include "alambic/train/group_scores.h"

#include "alambic/base/error.h"
#include "alambic/teacher/local.h"
#include "alambic/train/data_order.h"
#include "alambic/train/distillation.h"
#include "alambic/train/trainer.h"
#include "tests/golden.h"
#include "tests/train/task_fixture.h"

namespace alambic::group_scores_test {
namespace {

const auto silent = [](const std::string&) {};

/// Scores a completion by the share of its tokens that are below 25; no score where the first is
/// `bad`.
struct LowTokens : RewardScorer {
  int64_t bad = -1;
  double factor = 1;
  mutable int64_t calls = 0;

  std::vector<Score> score(const Rollouts& rollouts) const override {
    ++calls;
    std::vector<Score> scores;
    for (int64_t s = 0; s < rollouts.sequences.sequences(); ++s) {
      const int64_t begin = rollouts.sequences.offsets[s], length = rollouts.sequences.length(s);
      const Tensor completion =
          rollouts.sequences.tokens_N.narrow(0, begin, length)
              .masked_select(rollouts.completion_mask_N.narrow(0, begin, length));
      const bool dropped = std::isnan(factor) || completion[0].item<int64_t>() == bad;
      const double share = (completion < 25).to(at::kDouble).mean().item<double>();
      scores.push_back(dropped ? dropped_score("bad") : Score{static_cast<float>(factor * share)});
    }
    return scores;
  }
};

struct GroupScores : testing::Test {
  std::shared_ptr<LowTokens> reward = std::make_shared<LowTokens>();
  std::shared_ptr<const Teacher> reference;
  Tokenizer tokenizer = recipe_tokenizer();
  DistillationSettings options{.divergence = {.terms = {}},
                               .policy = {.terms = {{PolicyKind::grpo}}},
                               .batch_size = 4,
                               .num_generations = 5,
                               .seed = 3};

  GroupScores() {
    options.engine = {.stop_tokens = {0, 1}, .vocabulary = 50, .seed = 3};
    options.engine.sampling.max_new_tokens = 8;
  }
  static std::shared_ptr<const Teacher> local(uint64_t seed) {
    return std::make_shared<LocalTeacher>(random_model(small_llama_config(), seed), 50);
  }
  std::unique_ptr<TrainingTask> task(Model& student, const TeacherMixture& teachers) const {
    return distillation_task(student, teachers, make_examples(10), tokenizer, options,
                             {.reward = reward, .reference = reference});
  }
  struct Step {
    StepReport report;
    Tensor gradients;
    double extra(const std::string& name) const {
      for (const auto& [key, value] : report.extra) {
        if (key == name) return value;
      }
      ADD_FAILURE() << "no " << name;
      return 0;
    }
  };
  Step step(const TeacherMixture& teachers = TeacherMixture::none()) const {
    const auto student = trainable_model();
    Step step{.report = task(*student, teachers)->forward_backward(1, silent)};
    step.gradients = gradients_of(*student);
    return step;
  }
};

// Bug: groups cut where a micro-batch ends, scores of one completion on another's tokens.
TEST_F(GroupScores, GiveTheSameGradientsInMicroBatches) {
  const Step whole = step();
  EXPECT_GT(whole.gradients.abs().max().item<double>(), 1e-2);
  EXPECT_GT(whole.extra("reward_std"), 0);
  for (const int64_t size : {1, 3}) {
    options.micro_batch_size = size;
    const Step parts = step();
    EXPECT_NEAR(parts.report.loss, whole.report.loss, 1e-5);
    EXPECT_LT(distance(parts.gradients, whole.gradients), 1e-4);
    EXPECT_NEAR(parts.extra("reward"), whole.extra("reward"), 1e-6);
  }
}

// The steps of a run whose completions share their prompts' passes (student and reference), and
// of one that computes each.
TEST_F(GroupScores, AreTheSameWithSharedPrompts) {
  options.policy.kl_weight = 0.5;
  reference = local(2);
  const auto run = [&](bool share) {
    const SharePrefixes sharing(share);
    std::vector<TokenizedExample> examples = make_examples(10);
    for (TokenizedExample& row : examples) {
      for (int32_t i = 0; i < 20; ++i) row.prompt.push_back((7 * i + 1) % 50);
    }
    const auto student = trainable_model();
    const auto task = distillation_task(*student, TeacherMixture::none(), examples, tokenizer,
                                        options, {.reward = reward, .reference = reference});
    Step step{.report = task->forward_backward(1, silent)};
    step.gradients = gradients_of(*student);
    return step;
  };
  const Step shared = run(true), each = run(false);
  EXPECT_NEAR(shared.report.loss, each.report.loss, 1e-6);
  ASSERT_EQ(shared.report.means.size(), each.report.means.size());
  for (const auto& [name, mean] : each.report.means) {
    EXPECT_NEAR(shared.report.means.at(name), mean, 1e-6 * (1 + std::abs(mean))) << name;
  }
  EXPECT_LT(relative_distance(shared.gradients, each.gradients), 1e-6);
}

// The gradient of −Σ A·log q / tokens by its definition, one completion at a time.
TEST_F(GroupScores, GiveEveryTokenTheAdvantageOfItsCompletion) {
  for (const AdvantageKind kind : {AdvantageKind::grpo, AdvantageKind::dr_grpo}) {
    options.advantage = kind;
    const auto student = trainable_model();
    const TokenizedRows examples = make_examples(10);
    const TeacherMixture none = TeacherMixture::none();
    const World alone;
    const CompletionSource source{
        .examples = examples, .teachers = none, .device = at::kCPU, .world = alone};
    EngineOptions engine = options.engine;
    engine.step = 1;
    StepReport report;
    const StepBatch completions = write_completions(
        source, *student, tokenizer, DataOrder(3, 10).batch(1, 4), 5, engine, 0, report);
    const Rollouts& rollouts = completions.micro_batches.at(0).rollouts;
    std::vector<float> scores;
    for (const Score& score : reward->score(rollouts)) scores.push_back(score.value);
    const GroupAdvantages found = group_advantages(scores, 5, kind);
    const Tensor logits = at::matmul(student->hidden(Pass(rollouts.sequences)),
                                     student->head().weight_VD.dense().t());
    const Tensor logp = at::log_softmax(logits, -1);
    Tensor loss = at::zeros({});
    for (int64_t s = 0; s < 20; ++s) {
      for (int64_t n = rollouts.sequences.offsets[s] + 1; n < rollouts.sequences.offsets[s + 1];
           ++n) {
        if (!rollouts.completion_mask_N[n].item<bool>()) continue;
        loss = loss -
               found.advantages[s] * logp[n - 1][rollouts.sequences.tokens_N[n].item<int64_t>()];
      }
    }
    const double normalizer = kind == AdvantageKind::grpo
                                  ? static_cast<double>(completions.tokens)
                                  : 20 * static_cast<double>(engine.sampling.max_new_tokens);
    (loss / normalizer).backward();
    EXPECT_LT(distance(step().gradients, gradients_of(*student)), 1e-4);
  }
}

TEST_F(GroupScores, AreScaledAwayByGrpoAndKeptByDrGrpo) {
  const Step once = step();
  reward->factor = 3;
  EXPECT_LT(relative_distance(step().gradients, once.gradients), 1e-2);
  reward->factor = 1;
  options.advantage = AdvantageKind::dr_grpo;
  const Step kept = step();
  reward->factor = 3;
  EXPECT_LT(relative_distance(step().gradients, 3 * kept.gradients), 1e-4);
}

// Bug: a completion whose reward failed is taught as a bad one.
TEST_F(GroupScores, ThatAreMissingAreCountedAndTeachNothing) {
  const Step all = step();
  EXPECT_EQ(all.extra("dropped_share"), 0);
  for (int64_t token = 0; token < 50; ++token) {
    reward->bad = token;
    const Step some = step();
    if (some.extra("dropped_share") == 0) continue;
    EXPECT_TRUE(std::isfinite(some.report.loss));
    EXPECT_GT(distance(some.gradients, all.gradients), 1e-4);
    return;
  }
  FAIL() << "no completion began with any token";
}

// Bug: the scorer itself counted, against its promise to have no memory.
TEST_F(GroupScores, ThatAreMissingTooOftenEndTheRun) {
  reward->factor = NAN;
  const auto student = trainable_model();
  EXPECT_THROW(task(*student, TeacherMixture::none())->forward_backward(0, silent), Error);
}

// The student as it was: nothing to pay at first, then a pull back.
TEST_F(GroupScores, KeepToTheReference) {
  const Step free = step();
  options.policy.kl_weight = 2;
  reference = local(1);
  const Step same = step();
  EXPECT_NEAR(same.report.means.at("reference_kl"), 0, 1e-5);
  EXPECT_LT(distance(same.gradients, free.gradients), 1e-4);
  reference = local(2);
  const Step other = step();
  EXPECT_GT(other.report.means.at("reference_kl"), 0.1);
  EXPECT_GT(distance(other.gradients, free.gradients), 1e-2);
}

TEST_F(GroupScores, MixWithTheTokensDivergence) {
  const auto teacher = local(2);
  const Step scores = step();
  options.policy.terms[0].weight = 0.4;
  options.divergence.terms = {{DivergenceKind::reverse_kl, 0, 0.6}};
  const Step mixed = step(*teacher);
  options.policy.terms.clear();
  options.divergence.terms[0].weight = 1;
  const Step tokens = step(*teacher);
  EXPECT_LT(distance(mixed.gradients, 0.4 * scores.gradients + 0.6 * tokens.gradients), 1e-4);
}

// Scored once for all steps of a round, and it learns: the sign of every factor in one figure.
TEST_F(GroupScores, RiseWhenTheyAreLearnedFrom) {
  options.num_iterations = 2;
  options.batch_size = 8;
  options.num_generations = 8;
  const auto student = trainable_model();
  const auto task = this->task(*student, TeacherMixture::none());
  KeepingRecorder recorder;
  const TestFolder folder;
  TrainingOptions training;
  training.max_steps = 30;
  training.learning_rate = 1e-2;
  train(training,
        {.student = *student, .task = *task, .recorder = recorder, .checkpoints = folder.path},
        false);
  EXPECT_EQ(reward->calls, 15);
  EXPECT_LT(recorder.figure(0, "reward"), 0.7);
  EXPECT_GT(recorder.figure(28, "reward"), 0.9);
}

}  // namespace
}  // namespace alambic::group_scores_test
