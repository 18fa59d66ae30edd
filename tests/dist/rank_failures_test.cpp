// Ranks that fail in the middle of a step: how the others end, and what a resumed job makes of it.
#include <sys/resource.h>

#include <csignal>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/base/launch_environment.h"
#include "alambic/dist/layer_weights.h"
#include "alambic/jobs/distill_setup.h"
#include "alambic/train/trainer.h"
#include "tests/dist/rank_processes.h"
#include "tests/jobs/run_fixture.h"
#include "tests/train/task_fixture.h"

namespace alambic::rank_failures_test {
namespace {

constexpr const char* program = "DISABLED_FailingRanks.Distill";

struct FailingRanks : RunFixture {
  // Runs a job on so many ranks in a folder of its own: `fault` is what befalls rank 1 as its third
  // step enters a phase, "kill learn" or "fill save".
  static GroupResult distill(int64_t ranks, const fs::path& out, const std::string& fault = "",
                             bool resume = false) {
    return run_ranks(ranks, program,
                     {{"ALAMBIC_TEST_OUT", out.string()},
                      {"ALAMBIC_TEST_FAULT", fault},
                      {"ALAMBIC_TEST_RESUME", resume ? "1" : ""}});
  }

  // That a job which this befalls ends with that code and message on the other rank, and that it
  // goes on, on as many ranks to the byte, as if nothing had been.
  void expect_recovery(const std::string& fault, int exit_code, const std::string& message) const {
    SCOPED_TRACE(fault);
    const fs::path out = folder / ("after " + fault);
    EXPECT_EQ(distill(2, out, fault).exit_code, exit_code);
    EXPECT_NE(read_file(out / "rank 0 told").find(message), std::string::npos)
        << read_file(out / "rank 0 told");
    for (const auto& entry : fs::directory_iterator(out / "checkpoints")) {
      const bool half = entry.path().string().find(".tmp-") != std::string::npos;
      EXPECT_FALSE(half && fault.starts_with("fill")) << entry.path();  // a full disk is full of it
    }
    EXPECT_EQ(distill(2, out, "", /*resume=*/true).exit_code, 0);
    EXPECT_EQ(read_file(out / "weights"), read_file(folder / "whole/weights"));
  }
  void make_whole() const { ASSERT_EQ(distill(2, folder / "whole").exit_code, 0); }
};
struct FailingRanksSlow : FailingRanks {};

// Prevents a job that waits for a rank that is gone, one that nothing is left of, and a checkpoint
// of which a part is missing under a good name.
TEST_F(FailingRanks, AreToldAndResumedToTheByte) {
  make_whole();
  expect_recovery("kill learn", 128 + SIGKILL, "a rank has ended");
  expect_recovery("fill save", 3, "rank 1: ");
}

TEST_F(FailingRanksSlow, InEveryPhaseAreToldAndResumedToTheByte) {
  make_whole();
  for (const char* phase : {"generate", "grade", "update", "validate", "save"}) {
    expect_recovery(std::string("kill ") + phase, 128 + SIGKILL, "a rank has ended");
  }
}

// Of rank 1: what befalls it.
void befall(const std::string& what) {
  if (what == "kill") std::raise(SIGKILL);
  // A disk that is full.
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{.rlim_cur = 1000, .rlim_max = RLIM_INFINITY};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

using DISABLED_FailingRanks = FailingRanks;

// One rank of the jobs above.
TEST_F(DISABLED_FailingRanks, Distill) {
  at::set_num_threads(1);
  const auto world = std::make_shared<const World>(launch_environment(), 60);
  const fs::path out = environment_variable("ALAMBIC_TEST_OUT").value();
  const std::string fault = environment_variable("ALAMBIC_TEST_FAULT").value_or("");
  fs::create_directories(out);
  DistillOptions options = distillation("");
  options.sharding.stage = ZeroStage::weights;
  options.teachers.weights = TeacherWeightsChoice::sharded;
  options.training.valid_every = 1;
  options.training.save_every = 1;
  DistillPlan plan(options);
  plan.world = world;
  DistillSetup setup(std::move(plan));
  const auto task = setup.task();
  KeepingRecorder recorder;
  const TrainerParts parts{
      .student = *setup.student().model,
      .task = *task,
      .recorder = recorder,
      .validate = [](int64_t) -> Metrics {
        return {{"valid_loss", 1}};
      },
      .checkpoints = out / "checkpoints",
      .world = world,
      .layers = setup.plan().layers,
      .on_phase =
          [&](int64_t step, const std::string& phase) {
            if (step < 2 || world->rank() != 1 || !fault.ends_with(" " + phase)) return;
            befall(fault.substr(0, 4));
          }};
  try {
    train(options.training, parts, environment_variable("ALAMBIC_TEST_RESUME").has_value());
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::environment);
    if (world->leads()) write_file(out / "rank 0 told", error.what());
    ::_exit(static_cast<int>(error.exit()));
  }
  const HeldWeights whole(setup.plan().layers.get());
  const Tensor weights = weights_of(*setup.student().model);
  if (!world->leads()) return;
  write_file(out / "weights",
             {static_cast<const char*>(weights.const_data_ptr()), weights.nbytes()});
}

}  // namespace
}  // namespace alambic::rank_failures_test
