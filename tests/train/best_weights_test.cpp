// --load-best and --early-stopping: which weights a run ends with, also after kills.
#include <csignal>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/train/trainer.h"
#include "tests/train/task_fixture.h"
#include "tests/train/tiny_task.h"

namespace alambic::best_weights_test {
namespace {

struct Killed {};

struct BestWeightsTest : testing::Test {
  TestFolder folder;
  TrainingOptions options;
  std::vector<double> losses = {5, 3, 4, 2, 6, 7, 8, 9};  // of the validations in their order

  BestWeightsTest() {
    options.learning_rate = 1e-2;
    options.max_steps = 16;
    options.valid_every = 2;
    options.save_every = 3;
    options.load_best = true;
    options.best_metric = "valid_loss";
  }

  struct Ended {
    TrainingResult result;
    Tensor weights;
    std::vector<Tensor> at_validation;
  };

  // A run from its newest checkpoint; killed after `kill` finished steps (0: not).
  Ended run(const std::filesystem::path& checkpoints, bool resume = false, int64_t kill = 0) {
    const auto model = trainable_model();
    TinyTask task(*model);
    if (kill > 0) {
      task.after = [kill](int64_t step) {
        if (step + 1 == kill) throw Killed();
      };
    }
    KeepingRecorder recorder;
    Ended ended;
    TrainerParts parts{
        .student = *model, .task = task, .recorder = recorder, .checkpoints = checkpoints};
    parts.validate = [&](int64_t step) -> Metrics {
      ended.at_validation.push_back(weights_of(*model));
      const double loss = losses.at(static_cast<size_t>(step / 2 - 1));
      return {{"valid_exact_match", 1 / loss}, {"valid_loss", loss}};
    };
    ended.result = train(options, parts, resume);
    ended.weights = weights_of(*model);
    return ended;
  }
  static std::vector<std::string> files(const std::filesystem::path& checkpoints) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(checkpoints)) {
      names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    return names;
  }
};

TEST_F(BestWeightsTest, EndWithTheBestValidation) {
  const Ended ended = run(folder.path);
  EXPECT_EQ(ended.result.steps, 16);
  ASSERT_EQ(ended.at_validation.size(), 8u);
  EXPECT_TRUE(same_bytes(ended.weights, ended.at_validation[3]));
  EXPECT_EQ(ended.result.validation[1], std::pair(std::string("valid_loss"), 2.0));
  options.load_best = false;
  const TestFolder other;
  const Ended last = run(other.path);
  EXPECT_TRUE(same_bytes(last.weights, last.at_validation[7]));
}

TEST_F(BestWeightsTest, KeepOnlyTheWeightsThatACheckpointGoesOnFrom) {
  run(folder.path);
  EXPECT_EQ(files(folder.path), (std::vector<std::string>{"best-00000008.safetensors",
                                                          "step-00000012", "step-00000015"}));
  options.save_every = 0;
  const TestFolder other;
  run(other.path);
  EXPECT_TRUE(files(other.path).empty());
}

TEST_F(BestWeightsTest, KnowWhichFiguresAreBetterWhenTheyGrow) {
  options.best_metric = "valid_exact_match";
  losses = {5, 3, 4, 2, 6, 7, 8, 9};
  EXPECT_EQ(run(folder.path).result.validation[0].second, 0.5);
}

// Prevents: a figure that is not finite that is the best for good.
TEST_F(BestWeightsTest, PassOverWhatIsNotFinite) {
  losses = {NAN, 3, -INFINITY, 4, 2, NAN, 8, 9};
  EXPECT_EQ(run(folder.path).result.validation[1].second, 2);
}

TEST_F(BestWeightsTest, StopEarly) {
  options.early_stopping = 3;
  const Ended ended = run(folder.path);
  EXPECT_EQ(ended.result.steps, 14);  // the best after 8, then those of 10, 12 and 14
  EXPECT_FALSE(ended.result.stopped);
  EXPECT_TRUE(same_bytes(ended.weights, ended.at_validation[3]));
  options.load_best = false;
  const TestFolder other;
  const Ended last = run(other.path);
  EXPECT_EQ(last.result.steps, 14);
  EXPECT_TRUE(same_bytes(last.weights, last.at_validation[6]));
}

// Prevents: a resumed run that has forgotten the best, or takes one from after its checkpoint.
TEST_F(BestWeightsTest, AreTheSameAfterAKillAtAnyStep) {
  options.early_stopping = 3;
  const Ended whole = run(folder.path);
  for (int64_t kill = 1; kill <= 14; ++kill) {
    const TestFolder other;
    EXPECT_THROW(run(other.path, false, kill), Killed);
    const Ended rest = run(other.path, true);
    EXPECT_EQ(rest.result.steps, whole.result.steps) << kill;
    EXPECT_EQ(rest.result.validation, whole.result.validation) << kill;
    EXPECT_TRUE(same_bytes(rest.weights, whole.weights)) << kill;
    const Ended again = run(other.path, true);  // of a finished run
    EXPECT_TRUE(same_bytes(again.weights, whole.weights)) << kill;
  }
}

// Prevents: the validation of a step at which a signal came, which no resumed run makes up for.
TEST_F(BestWeightsTest, AreTheSameAfterASignalAtAnyStep) {
  const Ended whole = run(folder.path);
  for (int64_t stop = 0; stop < 15; ++stop) {
    const TestFolder other;
    const auto model = trainable_model();
    TinyTask task(*model);
    task.after = [stop](int64_t step) {
      if (step == stop) std::raise(SIGTERM);
    };
    KeepingRecorder recorder;
    const TrainingResult first =
        train(options,
              {.student = *model,
               .task = task,
               .recorder = recorder,
               .validate = [&](int64_t step) -> Metrics {
                 return {{"valid_exact_match", 0},
                         {"valid_loss", losses.at(static_cast<size_t>(step / 2 - 1))}};
               },
               .checkpoints = other.path},
              false);
    ASSERT_TRUE(first.stopped) << stop;
    EXPECT_TRUE(same_bytes(run(other.path, true).weights, whole.weights)) << stop;
  }
}

TEST_F(BestWeightsTest, PassOverACheckpointWhoseBestIsMissingOrDamaged) {
  const Ended whole = run(folder.path);
  write_file(folder.path / "best-00000008.safetensors", "damaged");
  try {
    run(folder.path, true);
    ADD_FAILURE() << "resumed";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("its digest differs"), std::string::npos)
        << error.what();
  }
}

TEST_F(BestWeightsTest, NameTheFiguresThatThereAre) {
  options.best_metric = "valid_los";
  try {
    run(folder.path);
    ADD_FAILURE() << "trained";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    EXPECT_EQ(std::string(error.what()),
              "--best-metric valid_los: a validation of this run has no such figure; it has "
              "valid_exact_match, valid_loss");
    EXPECT_EQ(error.hint(), "did you mean valid_loss?");
  }
}

}  // namespace
}  // namespace alambic::best_weights_test
