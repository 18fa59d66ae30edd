// Whole steps with a teacher that has a tokenizer of its own.
#include "alambic/base/error.h"
#include "alambic/teacher/aligned.h"
#include "alambic/teacher/local.h"
#include "alambic/text/tokenizer/character_tokenizer.h"
#include "alambic/train/distillation.h"
#include "alambic/train/mask_watch.h"
#include "tests/golden.h"
#include "tests/train/task_fixture.h"

namespace alambic::aligned_task_test {
namespace {

const auto silent = [](const std::string&) {};

// Fifty characters, each a token: what a student draws is what its bytes encode to.
Tokenizer characters() {
  std::string text;
  for (char c = '!'; text.size() < 50; ++c) text += c;
  return Tokenizer::parse("tokenizer.json", character_tokenizer_json(text));
}

struct AlignedTask : testing::Test {
  Tokenizer tokenizer = characters();
  std::shared_ptr<const Teacher> local =
      std::make_shared<LocalTeacher>(random_model(small_llama_config(), 2, 1.5), 50);
  std::vector<TokenizedExample> rows = make_examples(8);
  DistillationSettings options{.lmbda = 1, .batch_size = 8, .seed = 3};

  AlignedTask() {
    options.engine = {.stop_tokens = {0}, .vocabulary = 50, .seed = 3};
    options.engine.sampling.max_new_tokens = 8;
  }

  std::shared_ptr<const Teacher> aligned(int64_t positions = 64, bool pieces = false) const {
    TeacherPrompts prompts;
    for (const TokenizedExample& row : rows) prompts.push_back(row.prompt);
    const AlignedTokenizer side{tokenizer, {0}, "a model"};
    const auto aligner = std::make_shared<Aligner>(side, side);
    const auto cells = pieces ? std::make_shared<Cells>(common_cells(*aligner)) : nullptr;
    return std::make_shared<AlignedTeacher>(local, aligner, prompts, positions, cells);
  }
  struct Step {
    StepReport report;
    Tensor gradients;
  };
  Step step(const TeacherMixture& teachers) {
    const auto student = trainable_model();
    Step step;
    step.report = distillation_task(*student, teachers, rows, tokenizer, options)
                      ->forward_backward(0, silent);
    step.gradients = gradients_of(*student);
    return step;
  }
};

// The path of other tokenizers with an equal one: the sampled reverse KL as it always was.
TEST_F(AlignedTask, OfEqualTokenizersIsTheSampledReverseKl) {
  options.divergence.terms.clear();
  options.policy.terms = {{PolicyKind::sampled_reverse_kl}};
  const Step exact = step(*local);
  options.span_lookahead = 0;
  const Step found = step(*aligned());
  EXPECT_NEAR(found.report.loss, exact.report.loss, 1e-6);
  EXPECT_LT(relative_distance(found.gradients, exact.gradients), 1e-5);
  EXPECT_EQ(found.report.means.at("masked_share"), 0);
  // --objective reverse_kl is sampled where the teacher has another tokenizer.
  options.policy.terms.clear();
  options.divergence.terms = {{DivergenceKind::reverse_kl}};
  options.samples_spans = true;
  const Step sampled = step(*aligned());
  EXPECT_NEAR(sampled.report.loss, exact.report.loss, 1e-6);
  EXPECT_LT(relative_distance(sampled.gradients, exact.gradients), 1e-5);
  // And exact where it has the same.
  const Step whole = step(*local);
  EXPECT_TRUE(whole.report.means.contains("reverse_kl"));
  EXPECT_FALSE(whole.report.means.contains("sampled_reverse_kl"));
}

// Cells of equal tokenizers: the exact divergence of the same run, on own and given completions.
TEST_F(AlignedTask, PiecesOfEqualTokenizersAreTheExactDivergence) {
  for (const double lmbda : {0.0, 1.0}) {
    for (const DivergenceTerm& term :
         {DivergenceTerm{DivergenceKind::reverse_kl}, DivergenceTerm{DivergenceKind::forward_kl},
          DivergenceTerm{DivergenceKind::jsd, 0.3}}) {
      options.lmbda = lmbda;
      options.divergence.terms = {term};
      const Step exact = step(*local), found = step(*aligned(64, true));
      EXPECT_NEAR(found.report.loss, exact.report.loss, 1e-6);
      EXPECT_LT(relative_distance(found.gradients, exact.gradients), 1e-4);
      EXPECT_NEAR(found.report.means.at("agreement"), exact.report.means.at("agreement"), 1e-6);
    }
  }
}

// MiniLLM's returns by spans: of equal tokenizers those of the tokens, beside both single steps.
TEST_F(AlignedTask, ReturnsOfEqualTokenizersAreThoseOfTheTokens) {
  options.divergence.terms.clear();
  options.policy.terms = {{PolicyKind::sampled_reverse_kl}, {PolicyKind::long_term_kl}};
  const Step sampled = step(*local), by_spans = step(*aligned());
  EXPECT_NEAR(by_spans.report.loss, sampled.report.loss, 1e-6);
  EXPECT_LT(relative_distance(by_spans.gradients, sampled.gradients), 1e-5);
  options.divergence.terms = {{DivergenceKind::reverse_kl}};
  options.policy.terms = {{PolicyKind::long_term_kl}};
  const Step exact = step(*local), pieces = step(*aligned(64, true));
  EXPECT_NEAR(pieces.report.loss, exact.report.loss, 1e-6);
  EXPECT_LT(relative_distance(pieces.gradients, exact.gradients), 1e-4);
  EXPECT_EQ(pieces.report.means.at("masked_share"), 0);
}

TEST_F(AlignedTask, TeachersOfSeveralTokenizersAddUp) {
  options.divergence.terms = {{DivergenceKind::reverse_kl}};
  options.samples_spans = true;
  const Step a = step(*local), b = step(*aligned());
  const Step both = step(TeacherMixture::averaged({{local, 0.3}, {aligned(), 0.7}}));
  EXPECT_NEAR(both.report.loss, 0.3 * a.report.loss + 0.7 * b.report.loss, 1e-5);
  EXPECT_LT(distance(both.gradients, 0.3 * a.gradients + 0.7 * b.gradients), 1e-5);
  for (const int64_t size : {1, 3}) {
    options.micro_batch_size = size;
    const Step parts = step(TeacherMixture::averaged({{local, 0.3}, {aligned(), 0.7}}));
    EXPECT_NEAR(parts.report.loss, both.report.loss, 1e-5) << size;
    EXPECT_LT(distance(parts.gradients, both.gradients), 1e-5);
  }
}

TEST_F(AlignedTask, GivenCompletionsHaveTheDivergenceOfTheSpans) {
  options.lmbda = 0;
  options.samples_spans = true;
  options.divergence.terms = {{DivergenceKind::forward_kl}};
  const Step found = step(*aligned());
  EXPECT_GT(found.report.loss, 0);
  EXPECT_NEAR(found.report.means.at("span_forward_kl"), found.report.loss, 1e-5);
  // The teacher as the student: nothing to learn.
  local = std::make_shared<LocalTeacher>(random_model(small_llama_config(), 1, 1.5), 50);
  EXPECT_NEAR(step(*aligned()).report.loss, 0, 1e-9);
}

// What a teacher's context has no room for is masked, not graded by a wrong position.
TEST_F(AlignedTask, WhatTheTeachersContextLacksIsMasked) {
  options.lmbda = 0;
  options.divergence.terms = {{DivergenceKind::forward_kl}};
  EXPECT_GT(step(*aligned(4)).report.means.at("masked_share"), 0.1);
}

TEST(MaskWatch, StopsWhereMuchIsMasked) {
  MaskWatch watch;
  watch.see(900, 900);  // too few to tell
  EXPECT_NO_THROW(MaskWatch().see(50, 1000));
  try {
    watch.see(0, 100);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
  }
}

}  // namespace
}  // namespace alambic::aligned_task_test
