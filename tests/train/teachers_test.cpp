// Several teachers, and teachers in other dtypes, through a whole step.
#include "alambic/teacher/teacher_mixture.h"

#include "alambic/teacher/cached.h"
#include "alambic/teacher/local.h"
#include "alambic/teacher/privileged.h"
#include "alambic/train/distillation.h"
#include "tests/golden.h"
#include "tests/train/task_fixture.h"

namespace alambic::teachers_test {
namespace {

const auto silent = [](const std::string&) {};

struct SeveralTeachers : testing::Test {
  std::shared_ptr<const Teacher> one = local(2), other = local(5);
  Tokenizer tokenizer = recipe_tokenizer();
  DistillationSettings options{.lmbda = 0, .batch_size = 8, .seed = 3};

  static std::shared_ptr<const Teacher> local(uint64_t seed, at::ScalarType dtype = at::kFloat) {
    return std::make_shared<LocalTeacher>(random_model(small_llama_config(), seed, 1.5, dtype), 50);
  }
  struct Step {
    StepReport report;
    Tensor gradients;
  };
  Step step(const TeacherMixture& teachers, std::vector<TokenizedExample> rows = make_examples(8)) {
    const auto student = trainable_model();
    Step step;
    step.report = distillation_task(*student, teachers, std::move(rows), tokenizer, options)
                      ->forward_backward(0, silent);
    step.gradients = gradients_of(*student);
    return step;
  }
};

// Loss and gradient are linear in the weights, or it is not the mean of the divergences.
TEST_F(SeveralTeachers, AreAveragedInTheLoss) {
  for (const double beta : {0.0, 0.5, 1.0}) {
    options.divergence = generalized_jsd(beta);
    const Step a = step(*one), b = step(*other);
    const Step both = step(TeacherMixture::averaged({{one, 0.3}, {other, 0.7}}));
    EXPECT_NEAR(both.report.loss, 0.3 * a.report.loss + 0.7 * b.report.loss, 1e-5);
    EXPECT_LT(distance(both.gradients, 0.3 * a.gradients + 0.7 * b.gradients), 1e-5);
    EXPECT_NEAR(both.report.means.at("forward_kl"),
                0.3 * a.report.means.at("forward_kl") + 0.7 * b.report.means.at("forward_kl"),
                1e-5);
  }
}

// A row graded by the other's teacher shows in its share of the step's loss.
TEST_F(SeveralTeachers, GradeTheRowsOfTheirTag) {
  const std::vector<TokenizedExample> rows = make_examples(8);
  std::vector<size_t> teacher_of_row = {1, 0, 0, 1, 1, 0, 1, 0};
  std::vector<TokenizedExample> rows_of[2];
  for (size_t r = 0; r < rows.size(); ++r) rows_of[teacher_of_row[r]].push_back(rows[r]);
  const Step mixed = step(TeacherMixture::routed({one, other}, teacher_of_row), rows);
  options.batch_size = 4;
  const Step a = step(*one, rows_of[0]), b = step(*other, rows_of[1]);
  const double of_a =
      static_cast<double>(a.report.tokens) / static_cast<double>(mixed.report.tokens);
  EXPECT_EQ(a.report.tokens + b.report.tokens, mixed.report.tokens);
  EXPECT_NEAR(mixed.report.loss, of_a * a.report.loss + (1 - of_a) * b.report.loss, 1e-5);
  EXPECT_LT(distance(mixed.gradients, of_a * a.gradients + (1 - of_a) * b.gradients), 1e-5);
  for (const int64_t size : {1, 3}) {
    options.batch_size = 8;
    options.micro_batch_size = size;
    const Step parts = step(TeacherMixture::routed({one, other}, teacher_of_row), rows);
    EXPECT_NEAR(parts.report.loss, mixed.report.loss, 1e-6) << size;
  }
}

// The hint must reach the teacher and not the student: without it the same weights teach nothing.
TEST_F(SeveralTeachers, TeachThemselvesWithAHintAlone) {
  options.lmbda = 1;
  options.engine = {.stop_tokens = {0, 1}, .vocabulary = 50, .seed = 3};
  options.engine.sampling.max_new_tokens = 8;
  const auto student = trainable_model();
  const std::shared_ptr<const Model> self(std::shared_ptr<const Model>(), student.get());
  const auto teacher = std::make_shared<LocalTeacher>(self, 50);
  const auto loss = [&](const TeacherPrompts& prompts) {
    const PrivilegedTeacher hinted(teacher, prompts);
    return distillation_task(*student, hinted, make_examples(8), tokenizer, options)
        ->forward_backward(0, silent)
        .loss;
  };
  EXPECT_NEAR(loss(TeacherPrompts(8)), 0, 1e-6);
  EXPECT_GT(loss(TeacherPrompts(8, {30, 31, 32, 33})), 1e-2);
  gradients_of(*student);  // each defined, though the teacher ran without a graph
}

/// Expects that the heads of all outputs before are gone when it is asked.
struct OneHeadAtATime : Teacher {
  using Weak = c10::weak_intrusive_ptr<at::TensorImpl>;
  std::shared_ptr<const Teacher> inner;
  std::vector<Weak>& heads;

  OneHeadAtATime(std::shared_ptr<const Teacher> inner, std::vector<Weak>& heads)
      : inner(std::move(inner)), heads(heads) {}
  TeacherOutput evaluate(const Rollouts& rollouts) const override {
    for (const Weak& head : heads) EXPECT_TRUE(head.expired());
    HiddenStates own = hidden_states(inner->evaluate(rollouts));
    const Tensor copy_VD = own.head.weight_VD.dense().clone();
    own.head.weight_VD = copy_VD;
    heads.emplace_back(copy_VD.getIntrusivePtr());
    return own;
  }
};

// Bug: averaged teachers that are all evaluated first hold all output heads of their caches at
// once.
TEST_F(SeveralTeachers, NeedOneHeadAtATime) {
  std::vector<OneHeadAtATime::Weak> heads;
  options.micro_batch_size = 4;
  step(TeacherMixture::averaged({{std::make_shared<OneHeadAtATime>(one, heads), 0.25},
                                 {std::make_shared<OneHeadAtATime>(other, heads), 0.25},
                                 {std::make_shared<OneHeadAtATime>(one, heads), 0.5}}));
  EXPECT_EQ(heads.size(), 6u);
}

TEST_F(SeveralTeachers, MayHaveASmallerDtype) {
  const Step exact = step(*one), rounded = step(*local(2, at::kBFloat16));
  EXPECT_NEAR(rounded.report.loss, exact.report.loss, 0.02 * exact.report.loss);
  EXPECT_LT(relative_distance(rounded.gradients, exact.gradients), 0.05);
  EXPECT_EQ(rounded.gradients.scalar_type(), at::kFloat);
}

// Grades live and keeps what it said.
struct Filling : Teacher {
  std::shared_ptr<const Teacher> inner;
  TeacherCache& cache;

  Filling(std::shared_ptr<const Teacher> inner, TeacherCache& cache)
      : inner(std::move(inner)), cache(cache) {}
  TeacherOutput evaluate(const Rollouts& rollouts) const override {
    cache.fill(*inner, rollouts);
    return inner->evaluate(rollouts);
  }
};

// Any difference is a task from another teacher than the one the run names.
TEST_F(SeveralTeachers, TeachFromTheirCacheBitForBit) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const TestFolder folder;
    const CacheManifest manifest{
        .dtype = dtype == at::kFloat ? "float32" : "bfloat16", .width = 32, .vocabulary = 50};
    const auto live =
        std::make_shared<const LocalTeacher>(random_model(small_llama_config(), 2, 1.5, dtype), 50);
    {
      TeacherCache cache(folder.path / "cache", manifest);
      step(Filling(live, cache));
      cache.flush();
    }
    const auto cache = std::make_shared<TeacherCache>(folder.path / "cache", manifest);
    const CachedTeacher cached(cache, std::make_shared<HeadCache>(),
                               [&] { return live->model().head().cut(50); });
    for (const double beta : {0.0, 0.5, 1.0}) {
      options.divergence = generalized_jsd(beta, 1 + beta);
      const Step a = step(*live), b = step(cached);
      EXPECT_EQ(a.report.loss, b.report.loss) << beta;
      EXPECT_TRUE(same_bytes(a.gradients, b.gradients)) << beta;
    }
  }
}

}  // namespace
}  // namespace alambic::teachers_test
