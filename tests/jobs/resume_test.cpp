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

// The message of a resumption that is refused.
template <class Command>
std::string refusal(const Command& command) {
  try {
    command();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    return error.what();
  }
  return "";
}

// Bug: options were compared as they are written, so that a "/" behind --out, another path to the
// same data or a folder that had moved ended a run for good.
TEST_F(Resume, KnowsItsFilesByOtherNames) {
  DistillOptions options = distillation("run");
  options.training.save_every = 2;
  jobs::distill(options);
  const auto resumed = [&] {
    fs::remove_all(fs::path(options.run.out) / "model");
    return jobs::distill(options).ending;
  };
  options.run.resume = true;
  options.run.out = (folder / "." / "run/").string();
  options.data = {(folder / "student" / ".." / "rows.jsonl").string()};
  options.teachers.teacher = {at("teacher") + "/"};
  EXPECT_EQ(resumed(), RunEnding::finished);
  for (const char* name : {"run", "rows.jsonl", "teacher", "student"}) {
    fs::rename(folder / name, folder / ("moved-" + std::string(name)));
  }
  options.run.out = at("moved-run");
  options.data = {at("moved-rows.jsonl")};
  options.student = at("moved-student");
  options.teachers.teacher = {at("moved-teacher")};
  EXPECT_EQ(resumed(), RunEnding::finished);
  options.teachers.teacher = {at("moved-student")};
  EXPECT_NE(refusal(resumed).find("teacher = "), std::string::npos) << refusal(resumed);
}

// Bug: rows that were added, lost or edited between two parts of a run were learned from without a
// word, in another order than that of the run which began.
TEST_F(Resume, RefusesOtherBytesInItsData) {
  TrainOptions options = training("run");
  options.training.save_every = 2;
  options.valid_data = at("valid.jsonl");
  fs::copy_file(at("rows.jsonl"), options.valid_data);
  jobs::train(options);
  options.run.resume = true;
  const auto resumed = [&] { jobs::train(options); };
  for (const std::string& file : {options.data.front(), options.valid_data}) {
    const std::string rows = read_file(file);
    write_file(file, rows + rows.substr(0, rows.find('\n') + 1));
    for (int time = 0; time < 2; ++time) {  // what was known is known after a refusal too
      const std::string message = refusal(resumed);
      EXPECT_NE(message.find("began with other bytes in " + file), std::string::npos) << message;
    }
    write_file(file, rows);
    EXPECT_EQ(refusal(resumed), "");
  }
  write_file(options.data.front(), read_file(options.data.front()) + "\n");
  options.run.allow_change = true;
  EXPECT_EQ(refusal(resumed), "");
  const auto record = nlohmann::json::parse(read_file(folder / "run/provenance/record.json"));
  EXPECT_NE(record["events"].dump().find("--data " + options.data.front()), std::string::npos)
      << record["events"].dump();
}

// Bug: a frozen base, or a teacher, that was replaced between two parts of a run was not told of.
TEST_F(Resume, SaysThatAModelIsAnotherOne) {
  DistillOptions options = distillation("run");
  options.training.save_every = 2;
  jobs::distill(options);
  fs::remove_all(at("teacher"));
  fs::copy(at("student"), at("teacher"));
  options.run.resume = true;
  testing::internal::CaptureStderr();
  jobs::distill(options);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("when the run began: --teacher " + at("teacher")), said.npos) << said;
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
