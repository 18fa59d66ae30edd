// Distillations whose teachers have ranks of their own: each is that of one process.
#include <map>

#include "alambic/base/json_object.h"
#include "alambic/base/launch_environment.h"
#include "alambic/jobs/distill_validation.h"
#include "alambic/jobs/grading.h"
#include "alambic/jobs/run_provenance.h"
#include "tests/dist/distilled.h"
#include "tests/dist/rank_processes.h"
#include "tests/jobs/run_fixture.h"

namespace alambic::teacher_ranks_test {
namespace {

struct DistilledByRoles : RunFixture {
  std::shared_ptr<const World> world;

  void SetUp() override {
    RunFixture::SetUp();
    at::set_num_threads(1);
    world = std::make_shared<const World>(launch_environment(), 60);
    const Tokenizer tokenizer = recipe_tokenizer();
    for (const auto& [name, seed, width] :
         {std::tuple("student", 1, 0), std::tuple("teacher", 2, 0), std::tuple("wide", 3, 8)}) {
      Json config = small_llama_config(tokenizer.size());
      config["num_hidden_layers"] = 4;
      // Another teacher of another width.
      config["hidden_size"] = config["hidden_size"].get<int64_t>() + width;
      save_model(*random_model(config, seed), folder / name, Json());
      tokenizer.save_to(folder / name);
    }
    for (const bool hinted : {false, true}) {
      std::string rows;
      for (int i = 0; i < 8; ++i) {
        const std::string n = std::to_string(i);
        Json row = {{"prompt", n + " + 1 ="}, {"completion", " " + std::to_string(i + 1)}};
        row["teacher"] = i % 3 == 0 ? "a" : "b";
        if (hinted && i % 2 == 0) row["teacher_prompt"] = "#### " + n + " + 1 =";
        rows += row.dump() + "\n";
      }
      write_file(folder / (hinted ? "hinted.jsonl" : "tagged.jsonl"), rows);
    }
  }

  // By what must not matter to where the teacher is.
  std::map<std::string, DistillOptions> runs() const {
    DistillOptions options = distillation("");
    options.training.batch_size = 5;
    options.training.max_steps = 2;
    options.training.micro_batch_size = 2;
    options.training.adam_epsilon = 1e-3;  // rounding of a gradient of nearly 0 is no whole step
    std::map<std::string, DistillOptions> runs;
    const auto add = [&](const std::string& name) -> DistillOptions& {
      return runs.emplace(name, options).first->second;
    };
    DistillOptions& plain = add("validated, in whole batches");
    plain.training.micro_batch_size = 0;
    plain.training.valid_every = 1;
    plain.valid_data = at("rows.jsonl");
    DistillOptions& given = add("half of it given, behind prompts of the teacher's own");
    given.lmbda = 0.5;
    given.data = {at("hinted.jsonl")};
    DistillOptions& hidden = add("hidden states of another width, a sharded student");
    hidden.teachers.teacher = {at("wide")};
    hidden.loss.hidden_weight = 0.5;
    hidden.sharding.stage = ZeroStage::weights;
    for (const bool averaged : {false, true}) {
      DistillOptions& two = add(averaged ? "two averaged teachers" : "two teachers by tag");
      two.teachers.teacher = {"a=" + at("teacher"), "b=" + at("wide")};
      if (averaged) two.teachers.weight = {"a=0.25", "b=0.75"};
      two.data = {at("tagged.jsonl")};
    }
    DistillOptions& drawn = add("drawn tokens in two steps, with rewards");
    drawn.loss.objective = "0.9*grpo+0.1*sampled_reverse_kl";
    drawn.loss.num_iterations = 2;
    drawn.reward.reward = "regex:[0-4]";
    drawn.num_generations = 3;
    return runs;
  }

  Distilled run(DistillOptions options, int64_t teacher_ranks) const {
    options.teachers.ranks = teacher_ranks;
    const auto all = teacher_ranks > 0 ? world : std::make_shared<const World>();
    const RankRoles roles = rank_roles(all, teacher_ranks);
    RankObserver observes(all, options.sharding);
    if (roles.grades()) {
      EXPECT_EQ(grade_for_learners(options, roles, observes).ending, RunEnding::stopped);
      return {};
    }
    DistillSetup setup(plan_of_rank(options, roles));
    hardware_of_ranks(roles);
    Distilled distilled =
        distilled_by(setup, options.training, folder / "checkpoints", distill_validation(setup));
    if (roles.apart()) setup.plan().teacher_ranks->end(static_cast<int64_t>(RunEnding::stopped));
    return distilled;
  }

  void expect_like_one(int64_t teacher_ranks, TeacherWeightsChoice weights) const {
    for (auto& [name, options] : runs()) {
      SCOPED_TRACE(name);
      DistillOptions apart = options;
      // Teachers by tag do not make the same passes on all ranks.
      if (name != "two teachers by tag") apart.teachers.weights = weights;
      const Distilled many = run(apart, teacher_ranks);
      if (world->leads()) expect_same(run(options, 0), many);
    }
  }

  // Against runs of the present weights, one of which never changes them.
  void expect_one_step_off_policy() const {
    DistillOptions options = distillation("");
    options.training.batch_size = 5;
    options.training.micro_batch_size = 2;
    options.training.max_steps = 3;
    options.training.learning_rate = 0.3;
    options.training.valid_every = 1;
    options.valid_data = at("rows.jsonl");
    DistillOptions stale = options, frozen = options;
    stale.teachers.max_staleness = 1;
    frozen.training.learning_rate = 0;
    const Distilled found = run(stale, 1);
    if (!world->leads()) return;
    const Distilled present = run(options, 0), first = run(frozen, 0);
    ASSERT_EQ(std::ssize(found.samples), 6);
    const auto part = [](const Distilled& of, size_t from, size_t to) {
      return std::vector(of.samples.begin() + from, of.samples.begin() + to);
    };
    EXPECT_EQ(part(found, 0, 4), part(first, 0, 4));
    EXPECT_NE(part(found, 0, 4), part(present, 0, 4));
    EXPECT_NE(part(found, 4, 6), part(first, 4, 6));
    std::vector<double> versions;
    for (const Metrics& row : found.figures) {
      for (const auto& [name, value] : row) {
        if (name == "policy_version") versions.push_back(value);
      }
    }
    EXPECT_EQ(versions, (std::vector<double>{0, 0, 1}));
    // Two steps learn from what the first weights wrote: the first as ever.
    const auto loss = [](const Distilled& of) { return of.figures.front()[1].second; };
    EXPECT_NEAR(loss(found), loss(present), 1e-6);
  }
};

// Prevents grades of other rows than were asked for, of another teacher or of another step, and
// ranks that wait for each other for ever (a learner without rows, a validation on one alone).
TEST(TeacherRanks, OfTwoAreLikeOneProcess) {
  EXPECT_EQ(run_ranks(2, "DISABLED_DistilledByRoles.OneGrades").exit_code, 0);
}

// Prevents completions of other weights than the run says, grades of a step that are taken for
// those of another or of a validation meanwhile, and ranks that wait for each other for ever.
TEST(TeacherRanks, GradeWhileTheNextStepIsWritten) {
  EXPECT_EQ(run_ranks(2, "DISABLED_DistilledByRoles.OneStepOffPolicy").exit_code, 0);
  EXPECT_EQ(run_ranks(3, "DISABLED_DistilledByRoles.OneStepOffPolicy").exit_code, 0);
}

TEST(TeacherRanksSlow, OfThreeAndFourAreLikeOneProcess) {
  EXPECT_EQ(run_ranks(3, "DISABLED_DistilledByRoles.OneGrades").exit_code, 0);
  EXPECT_EQ(run_ranks(3, "DISABLED_DistilledByRoles.TwoGrade").exit_code, 0);
  EXPECT_EQ(run_ranks(4, "DISABLED_DistilledByRoles.TwoGradeInParts").exit_code, 0);
}

using DISABLED_DistilledByRoles = DistilledByRoles;

TEST_F(DISABLED_DistilledByRoles, OneStepOffPolicy) { expect_one_step_off_policy(); }
TEST_F(DISABLED_DistilledByRoles, OneGrades) { expect_like_one(1, TeacherWeightsChoice::resident); }
TEST_F(DISABLED_DistilledByRoles, TwoGrade) { expect_like_one(2, TeacherWeightsChoice::host); }
TEST_F(DISABLED_DistilledByRoles, TwoGradeInParts) {
  expect_like_one(2, TeacherWeightsChoice::sharded);
}

}  // namespace
}  // namespace alambic::teacher_ranks_test
