// What a run folder holds after a kill at any moment and --resume, and whom it belongs to.
#include <unistd.h>

#include "alambic/jobs/distill.h"
#include "alambic/jobs/train.h"
#include "tests/jobs/run_fixture.h"

namespace alambic::resume_test {
namespace {

struct Killed {};

enum class Moment { after_the_checkpoint, after_the_samples, after_the_figures };

// Ends the run within the step after `done` finished ones. Files are written without a buffer, so
// that nothing is written that a killed process would not have.
struct Killer : Recorder {
  int64_t done;
  Moment moment;

  Killer(int64_t done, Moment moment) : done(done), moment(moment) {}
  void begin(std::optional<int64_t>) override {}
  void phase(int64_t finished, const std::string&) override {
    if (moment == Moment::after_the_checkpoint && finished == done) throw Killed();
  }
  void sample(const nlohmann::ordered_json& row) override {
    if (moment == Moment::after_the_samples && row.at("step") == done + 1) throw Killed();
  }
  void step(const Metrics& row) override {
    const auto step = static_cast<int64_t>(row.front().second);
    if (moment == Moment::after_the_figures && step == done + 1) throw Killed();
  }
  void end() override {}
};

struct Resume : RunFixture {
  // Runs into a kill and goes on.
  void kill_and_resume(DistillOptions options, int64_t done, Moment moment) const {
    Killer killer(done, moment);
    EXPECT_THROW(jobs::distill(options, &killer), Killed);
    options.run.resume = true;
    EXPECT_EQ(jobs::distill(options).ending, RunEnding::finished);
  }
};

constexpr Moment moments[] = {Moment::after_the_checkpoint, Moment::after_the_samples,
                              Moment::after_the_figures};

// Bug: sample rows counted steps from 0 and figures from 1, so that a run that went on after a
// saved step had that step's samples twice.
TEST_F(Resume, WritesTheRowsOfTheUninterruptedRunAfterAKillAtAnyStep) {
  DistillOptions options = distillation("whole");
  options.training.save_every = 1;
  jobs::distill(options);
  ASSERT_EQ(metrics_of("whole").size(), 4u);
  for (int64_t done = 0; done < 4; ++done) {
    for (const Moment moment : moments) {
      const std::string out = fmt::format("run{}{}", done, static_cast<int>(moment));
      options.run.out = at(out);
      kill_and_resume(options, done, moment);
      EXPECT_EQ(samples_of(out), samples_of("whole")) << out;
      EXPECT_EQ(metrics_of(out), metrics_of("whole")) << out;
    }
  }
  EXPECT_NE(samples_of("whole").find("{\"step\":1,"), std::string::npos) << samples_of("whole");
  EXPECT_NE(samples_of("whole").find("{\"step\":4,"), std::string::npos) << samples_of("whole");
}

// Bug: a run that ended before its first checkpoint was refused.
TEST_F(Resume, BeginsAgainWhereNoCheckpointWasWrittenYet) {
  DistillOptions options = distillation("whole");
  jobs::distill(options);
  options.run.out = at("run");
  kill_and_resume(options, 2, Moment::after_the_figures);
  EXPECT_EQ(samples_of("run"), samples_of("whole"));
  EXPECT_EQ(metrics_of("run"), metrics_of("whole"));
}

// A job that is put back into a queue always says --resume.
TEST_F(Resume, BeginsARunWhereThereIsNone) {
  TrainOptions options = training("new");
  options.run.resume = true;
  EXPECT_EQ(jobs::train(options).steps, 4);
  fs::create_directories(folder / "empty");
  options.run.out = at("empty");
  EXPECT_EQ(jobs::train(options).steps, 4);
}

TEST_F(Resume, RefusesOtherOptionsAndAFinishedRunWithoutCheckpoints) {
  TrainOptions options = training("run");
  jobs::train(options);
  options.run.resume = true;
  const auto refuse = [&](const std::string& word) {
    try {
      jobs::train(options);
      ADD_FAILURE() << "no error for " << word;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  };
  refuse("is finished");
  options.training.weight_decay = 0.5;
  refuse("weight-decay");
}

// Bug: a second run in the same folder wrote into the files of the first.
TEST_F(Resume, LeavesARunningRunAlone) {
  struct Intruder : Recorder {
    DistillOptions options;
    int refused = 0;
    void begin(std::optional<int64_t>) override {}
    void phase(int64_t, const std::string&) override {}
    void sample(const nlohmann::ordered_json&) override {}
    void step(const Metrics& row) override {
      if (row.front().second != 2) return;
      for (const auto& [resume, overwrite] :
           {std::pair(false, false), std::pair(true, false), std::pair(false, true)}) {
        options.run.resume = resume;
        options.run.overwrite = overwrite;
        try {
          jobs::distill(options);
          ADD_FAILURE() << "a second run";
        } catch (const Error& error) {
          EXPECT_EQ(error.exit(), Exit::environment);
          const std::string holder = fmt::format("process {} on ", ::getpid());
          EXPECT_NE(std::string(error.what()).find(holder), std::string::npos) << error.what();
          EXPECT_NE(error.hint(), "");
          ++refused;
        }
      }
    }
    void end() override {}
  } intruder;
  intruder.options = distillation("run");
  const DistillOptions options = distillation("run");
  jobs::distill(options, &intruder);
  EXPECT_EQ(intruder.refused, 3);
  EXPECT_EQ(metrics_of("run").size(), 4u);
}

}  // namespace
}  // namespace alambic::resume_test
