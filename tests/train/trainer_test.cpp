#include "alambic/train/trainer.h"

#include <csignal>

#include "alambic/base/error.h"
#include "alambic/model/adapter.h"
#include "alambic/model/load.h"
#include "alambic/nn/moe.h"
#include "alambic/teacher/local.h"
#include "alambic/train/distillation.h"
#include "alambic/train/next_token.h"
#include "tests/golden.h"
#include "tests/train/task_fixture.h"
#include "tests/train/tiny_task.h"

namespace alambic::trainer_test {
namespace {

const double nan = std::numeric_limits<double>::quiet_NaN();

struct TrainerTest : testing::Test {
  TestFolder folder;
  std::unique_ptr<Model> model = trainable_model();
  TinyTask task{*model};
  KeepingRecorder recorder;
  TrainingOptions options;

  TrainerTest() {
    options.max_steps = 5;
    options.learning_rate = 1e-3;
    options.lr_schedule = ScheduleShape::constant;
  }
  TrainerParts parts() {
    return {.student = *model, .task = task, .recorder = recorder, .checkpoints = folder.path};
  }
};

// Multiplying by zero would still write NaN into every weight.
TEST_F(TrainerTest, LeavesTheWeightsAloneAtANonFiniteLossOrGradient) {
  for (const bool by_gradient : {false, true}) {
    const Tensor before = weights_of(*model);
    options.max_steps = 2;
    (by_gradient ? task.gradient : task.loss) = [](int64_t) { return nan; };
    train(options, parts(), false);
    EXPECT_TRUE(same_bytes(weights_of(*model), before));
    model->visit([](const std::string& name, Tensor& tensor) {
      EXPECT_FALSE(tensor.grad().defined()) << name << ": the next step would add to it";
    });
  }
}

// A skipped step must not count in Adam's bias correction nor leave its gradient behind.
TEST_F(TrainerTest, GoesOnAfterASkippedStepAsIfItHadNotBeen) {
  task.loss = [](int64_t step) { return step == 1 || step == 2 ? nan : 1.0; };
  train(options, parts(), false);  // three good steps of five
  const auto other = trainable_model();
  TinyTask good(*other);
  KeepingRecorder quiet;
  options.max_steps = 3;
  train(options, {.student = *other, .task = good, .recorder = quiet, .checkpoints = {}}, false);
  EXPECT_TRUE(same_bytes(weights_of(*model), weights_of(*other)));
}

TEST_F(TrainerTest, EndsTheRunAfterThreeNonFiniteStepsInARow) {
  options.max_steps = 20;
  task.loss = [](int64_t step) { return step % 3 != 0 || step > 8 ? nan : 1.0; };
  try {
    train(options, parts(), false);
    FAIL() << "went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    EXPECT_NE(std::string(error.what()).find("up to step 10 "), std::string::npos) << error.what();
    EXPECT_NE(error.hint(), "");
  }
}

// Adam hides a wrong scale of the gradient, its moments do not.
TEST_F(TrainerTest, ClipsToTheNormAndReportsTheNormBefore) {
  options.max_steps = 1;
  options.save_every = 1;
  const double norm = 0.01 * std::sqrt(static_cast<double>(model->parameters()));
  for (const double max : {0.0, norm / 4, norm * 4}) {
    options.max_grad_norm = max;
    train(options, parts(), false);
    EXPECT_NEAR(recorder.figure(recorder.rows.size() - 1, "grad_norm"), norm, 1e-6 * norm);
    const Tensor mean =
        golden(folder.path / "step-00000001/optimizer.safetensors", "model.norm.weight.exp_avg");
    const double scale = max > 0 && max < norm ? max / norm : 1;
    EXPECT_NEAR(mean[0].item<double>(), 0.1 * 0.01 * scale, 1e-8);
  }
}

TEST_F(TrainerTest, ValidatesWhenDueAndAtTheEndOnce) {
  std::vector<int64_t> validated;
  options.valid_every = 2;
  options.max_steps = 6;
  TrainerParts with = parts();
  with.validate = [&](int64_t step) -> Metrics {
    validated.push_back(step);
    return {{"valid_loss", static_cast<double>(step)}};
  };
  const TrainingResult result = train(options, with, false);
  EXPECT_EQ(validated, (std::vector<int64_t>{2, 4, 6}));
  ASSERT_EQ(result.validation.size(), 1u);
  EXPECT_EQ(result.validation[0].second, 6);
  EXPECT_EQ(recorder.figure(3, "valid_loss"), 4);
}

TEST_F(TrainerTest, StopsAtASignalWithACheckpoint) {
  task.after = [](int64_t step) {
    if (step == 2) std::raise(SIGTERM);
  };
  const TrainingResult result = train(options, parts(), false);
  EXPECT_TRUE(result.stopped);
  EXPECT_EQ(result.steps, 3);
  EXPECT_TRUE(std::filesystem::exists(folder.path / "step-00000003/manifest.json"));
  task.after = [](int64_t) {};
  const TrainingResult rest = train(options, parts(), true);
  EXPECT_FALSE(rest.stopped);
  EXPECT_EQ(rest.steps, 5);
  EXPECT_EQ(recorder.resumed_after, 3);
  EXPECT_EQ(recorder.rows.size(), 5u);
}

// Figures that fall apart from the 31st step on; the weights differ at every step.
struct CollapsingRun : TrainerTest {
  CollapseWatch watch{8, 5};

  CollapsingRun() {
    options.max_steps = 60;
    options.save_every = 5;
    options.keep_checkpoints = 4;
    task.extra = [](int64_t step) -> Metrics { return {{"eos_share", step < 30 ? 0.9 : 0.1}}; };
  }
  TrainingResult run(OnCollapse action, bool resume = false, std::vector<Metrics> history = {}) {
    TrainerParts all = parts();
    all.watch = &watch;
    all.on_collapse = action;
    all.history = std::move(history);
    return train(options, all, resume);
  }
  Tensor weights_after(int64_t steps) {
    const auto other = trainable_model();
    TinyTask same(*other);
    KeepingRecorder quiet;
    const TestFolder nowhere;
    options.max_steps = steps;
    train(options,
          {.student = *other, .task = same, .recorder = quiet, .checkpoints = nowhere.path}, false);
    return weights_of(*other);
  }
};

TEST_F(CollapsingRun, GoesOnWithAWarning) {
  const TrainingResult result = run(OnCollapse::warn);
  EXPECT_EQ(result.steps, 60);
  EXPECT_EQ(result.collapse, "");
}

TEST_F(CollapsingRun, StopsWithACheckpoint) {
  const TrainingResult result = run(OnCollapse::stop);
  EXPECT_EQ(result.steps, 33);
  EXPECT_NE(result.collapse.find("end by themselves"), std::string::npos) << result.collapse;
  EXPECT_TRUE(std::filesystem::exists(folder.path / "step-00000033"));
  EXPECT_TRUE(same_bytes(weights_of(*model), weights_after(33)));
}

// Bug: back to the newest checkpoint, which is from the middle of the collapse.
TEST_F(CollapsingRun, GoesBackToBeforeTheSign) {
  const TrainingResult result = run(OnCollapse::rollback);
  EXPECT_EQ(result.steps, 25);  // steps 29 to 33 show it
  EXPECT_TRUE(same_bytes(weights_of(*model), weights_after(25)));
}

TEST_F(CollapsingRun, SaysThatThereIsNothingToGoBackTo) {
  options.keep_checkpoints = 1;
  try {
    run(OnCollapse::rollback);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::refused);
    EXPECT_NE(std::string(error.what()).find("step 28 or before"), std::string::npos)
        << error.what();
  }
}

// Bug: told as "no checkpoint is left", whatever happened to the one that is there.
TEST_F(CollapsingRun, SaysWhenTheOneToGoBackToIsDamaged) {
  TrainerParts all = parts();
  all.watch = &watch;
  all.on_collapse = OnCollapse::rollback;
  task.after = [&](int64_t step) {
    if (step != 32) return;
    for (const char* name : {"step-00000015", "step-00000020", "step-00000025"}) {
      std::filesystem::resize_file(folder.path / name / "state.json", 1);
    }
  };
  try {
    train(options, all, false);
    FAIL() << "no error";
  } catch (const Error& error) {
    const std::string text = error.what();
    for (const char* word :
         {"stopped after step 33", "cannot go back", "step-00000025", "1 bytes"}) {
      EXPECT_NE(text.find(word), std::string::npos) << word << ": " << text;
    }
  }
}

// Bug: a run that ended before its first checkpoint refuses to go on.
TEST_F(TrainerTest, BeginsAgainWhereNoCheckpointWasWrittenYet) {
  const TrainingResult result = train(options, parts(), true);
  EXPECT_EQ(result.steps, 5);
  EXPECT_EQ(recorder.resumed_after, 0);
  EXPECT_EQ(recorder.rows.size(), 5u);
}

// Bug: a resumed run takes the collapsed figures for its first ones.
TEST_F(CollapsingRun, IsSeenAfterAResumption) {
  options.max_steps = 30;
  run(OnCollapse::stop);
  options.max_steps = 60;
  watch = CollapseWatch(8, 5);
  EXPECT_EQ(run(OnCollapse::stop, true, recorder.rows).steps, 33);
}

// Trains for `steps`, from a checkpoint in `folder` if there is one; returns the final weights.
Tensor run_training(bool distills, const std::filesystem::path& folder, int64_t steps,
                    bool adapts = false, int64_t num_iterations = 1, bool matches_hidden = false) {
  const auto student = trainable_model();
  if (adapts) attach_adapter(*student, {.rank = 2, .dropout = 0.3, .dora = true}, 3);
  const int64_t teachers_width = matches_hidden ? 48 : 32;
  Json config = small_llama_config();
  config["hidden_size"] = teachers_width;
  std::vector<int64_t> shown;
  if (matches_hidden) shown = {1};
  const LocalTeacher teacher(random_model(config, 2), 50, shown);
  const Tokenizer tokenizer = recipe_tokenizer();
  DistillationSettings distillation{.lmbda = 0.5, .batch_size = 3, .seed = 3};
  if (matches_hidden) {
    distillation.hidden = {.weight = 0.3,
                           .pairs = {{.student = 0, .teacher = 1}},
                           .student_width = 32,
                           .teacher_width = teachers_width};
  }
  distillation.engine = {.stop_tokens = {0, 1}, .vocabulary = 50, .seed = 3};
  distillation.engine.sampling.max_new_tokens = 6;
  if (num_iterations > 1) {
    distillation.lmbda = 1;
    distillation.num_iterations = num_iterations;
    distillation.policy.terms = {{PolicyKind::sampled_reverse_kl}};
  }
  const auto task =
      distills ? distillation_task(*student, teacher, make_examples(10), tokenizer, distillation)
               : next_token_task(*student,
                                 examples_source(make_examples(10), {.batch_size = 3, .seed = 3}),
                                 {.vocabulary = 50});
  KeepingRecorder recorder;
  TrainingOptions options;
  options.max_steps = 8;  // of the schedule; a shorter run stops by its signal
  options.learning_rate = 1e-2;
  options.warmup_steps = 2;
  options.weight_decay = 0.1;
  struct Stopping : TrainingTask {
    TrainingTask& inner;
    int64_t last;
    Stopping(TrainingTask& inner, int64_t last) : inner(inner), last(last) {}
    StepReport forward_backward(int64_t step, const PhaseCallback& phase) override {
      if (step == last) std::raise(SIGINT);
      return inner.forward_backward(step, phase);
    }
    bool can_checkpoint_after(int64_t steps) const override {
      return inner.can_checkpoint_after(steps);
    }
    NamedTensors extra_parameters() const override { return inner.extra_parameters(); }
  } stopping(*task, steps - 1);
  const bool resume = !std::filesystem::is_empty(folder);
  train(options,
        {.student = *student, .task = stopping, .recorder = recorder, .checkpoints = folder},
        resume);
  return weights_of(*student);
}

// Prevents figures of one micro-batch, and of what validation or sampling do beside the learning.
TEST(Experts, AreReportedAsTheStepUsedThem) {
  const auto student = load_model(golden_folder("mixtral"), {.trainable = true});
  const std::vector<TokenizedExample> rows = make_examples(6);
  std::vector<std::shared_ptr<RouterLoad>> loads;
  for (Router* router : student->routers()) {
    loads.push_back(router->load = std::make_shared<RouterLoad>());
  }
  student->hidden(Pass(completion_batch(rows, at::kCPU).input));
  const LoadBalance expected = balance_of(loads);
  const LocalTeacher teacher(random_model(small_llama_config(), 2), 50);
  const Tokenizer tokenizer = recipe_tokenizer();
  TrainingOptions options;
  options.max_steps = 1;
  for (const bool distills : {false, true}) {
    const auto task =
        distills ? distillation_task(*student, teacher, rows, tokenizer,
                                     {.batch_size = 6, .engine = {.vocabulary = 50}})
                 : next_token_task(*student,
                                   examples_source(rows, {.batch_size = 6, .micro_batch_size = 2}),
                                   {.vocabulary = 64});
    KeepingRecorder recorder;
    train(options, {.student = *student, .task = *task, .recorder = recorder, .checkpoints = {}},
          false);
    const double value = recorder.figure(0, "load_balance");
    if (distills) {
      EXPECT_GT(value, 1);
    } else {
      EXPECT_NEAR(value, expected.value, 1e-6);
      EXPECT_NEAR(recorder.figure(0, "largest_expert_share"), expected.largest_share, 1e-9);
    }
  }
}

// The adapter begins with random draws and drops with others; neither may depend on the restart.
// The checkpoint holds the adapter alone.
TEST(Resume, GivesTheBytesOfTheUninterruptedRunOfAnAdapter) {
  for (const bool distills : {false, true}) {
    const TestFolder whole, parts;
    const Tensor expected = run_training(distills, whole.path, 8, true);
    run_training(distills, parts.path, 3, true);
    const SafetensorsFile saved =
        SafetensorsFile::open(parts.path / "step-00000003/model.safetensors");
    EXPECT_EQ(saved.tensors().size(), 2u * 7 * 3);
    for (const TensorView& view : saved.tensors()) {
      EXPECT_NE(view.name.find(".lora_"), std::string::npos) << view.name;
    }
    EXPECT_TRUE(same_bytes(run_training(distills, parts.path, 8, true), expected));
  }
}

// A hidden cursor, a moment in half precision or a draw that counts calls would show in a bit.
TEST(Resume, GivesTheBytesOfTheUninterruptedRun) {
  for (const bool distills : {false, true}) {
    const TestFolder whole;
    const Tensor expected = run_training(distills, whole.path, 8);
    EXPECT_FALSE(same_bytes(expected, weights_of(*trainable_model())));
    for (const int64_t stop : {1, 4}) {
      const TestFolder parts;
      run_training(distills, parts.path, stop);
      EXPECT_TRUE(same_bytes(run_training(distills, parts.path, 8), expected))
          << (distills ? "distillation" : "next token") << " after step " << stop;
    }
  }
}

// Bug: projections that begin anew, and that nobody trains.
TEST(Resume, GivesTheBytesOfTheUninterruptedRunWithProjections) {
  const TestFolder whole, parts;
  const Tensor expected = run_training(true, whole.path, 8, false, 1, true);
  run_training(true, parts.path, 3, false, 1, true);
  const SafetensorsFile saved =
      SafetensorsFile::open(parts.path / "step-00000003/model.safetensors");
  const TensorView* projection = saved.find("hidden_projection.0.weight");
  ASSERT_NE(projection, nullptr);
  EXPECT_EQ(projection->shape, (std::vector<int64_t>{48, 32}));
  EXPECT_TRUE(same_bytes(run_training(true, parts.path, 8, false, 1, true), expected));
}

// The completions of a round are in no checkpoint: a stop within it waits for its end.
TEST(Resume, GivesTheSameBytesAfterAStopWithinARound) {
  const TestFolder whole, parts;
  const Tensor expected = run_training(true, whole.path, 8, false, 3);
  run_training(true, parts.path, 4, false, 3);
  EXPECT_TRUE(std::filesystem::exists(parts.path / "step-00000006"));
  EXPECT_TRUE(same_bytes(run_training(true, parts.path, 8, false, 3), expected));
}

}  // namespace
}  // namespace alambic::trainer_test
