// Runs on a device with too little memory.
#include "alambic/train/within_memory.h"
#include "tests/device/command_fixture.h"
#include "tests/device/models_on_device.h"
#include "tests/device/simulated_device.h"
#include "tests/device/test_device.h"

namespace alambic::memory_test {
namespace {

struct OutOfMemory : DeviceCommands {
  void SetUp() override {
    if (!is_simulated()) GTEST_SKIP() << "its memory cannot be set";
  }
  void TearDown() override { simulated::set_memory(0); }

  static double peak(const std::string& run) {
    double peak = 0;
    for (const Json& row : metrics(run)) {
      peak = std::max(peak, row["device_peak_memory_bytes"].get<double>());
    }
    return peak;
  }

  struct Told {
    Outcome outcome;
    std::string warnings;
  };
  static Told with_memory(double bytes, const std::string& command) {
    simulated::set_memory(static_cast<size_t>(bytes));
    testing::internal::CaptureStderr();
    Told told{.outcome = run_here(command), .warnings = {}};
    told.warnings = testing::internal::GetCapturedStderr();
    simulated::set_memory(0);
    return told;
  }
};

// Bug: a batch that does not fit ended the run, hours after it began.
TEST_F(OutOfMemory, HalvesTheMicroBatchesOfDistillation) {
  const std::string options = "--lmbda 0 --batch-size 8 --max-steps 2 --on-too-little-memory warn ";
  succeed(distill("plenty", options, "simulated"));
  const double memory = 0.75 * peak("plenty");
  const Told told = with_memory(memory, distill("little", options, "simulated"));
  EXPECT_EQ(told.outcome.code, 0) << told.outcome.text;
  EXPECT_NE(told.warnings.find("going on with --micro-batch-size"), std::string::npos)
      << told.warnings;
  EXPECT_LE(peak("little"), memory);
  expect_equal_runs("plenty", "little");
}

TEST_F(OutOfMemory, HalvesTheMicroBatchesOfTraining) {
  const std::string command = "train --data " + at("rows.jsonl") + " --model " + at("student") +
                              " --batch-size 8 --max-steps 2 --seed 3" + on("simulated") +
                              " --out ";
  succeed(command + at("train_plenty"));
  const Told told = with_memory(0.75 * peak("train_plenty"), command + at("train_little"));
  EXPECT_EQ(told.outcome.code, 0) << told.outcome.text;
  EXPECT_NE(told.warnings.find("going on with"), std::string::npos) << told.warnings;
  expect_equal_runs("train_plenty", "train_little");
}

TEST_F(OutOfMemory, DropsTheGradientsOfTheFailedAttempt) {
  const auto model = model_on(small_llama_config(), 1, simulated::kDevice, true);
  int attempts = 0;
  const auto attempt = [&] {
    model->visit([](const std::string&, Tensor& tensor) {
      const Tensor ones = at::ones_like(tensor.detach());
      tensor.mutable_grad() = tensor.grad().defined() ? tensor.grad() + ones : ones;
    });
    if (++attempts == 1) throw c10::OutOfMemoryError({__func__, __FILE__, __LINE__}, "full");
  };
  within_memory(*model, {}, attempt, [] { return int64_t{1}; });
  EXPECT_EQ(attempts, 2);
  model->visit([](const std::string& name, Tensor& tensor) {
    EXPECT_EQ(tensor.grad().max().item<double>(), 1) << name;
  });
}

TEST_F(OutOfMemory, IsToldWhereOneSequenceIsTooMuch) {
  const std::string command = "train --data " + at("rows.jsonl") + " --model " + at("student") +
                              " --batch-size 2 --max-steps 1" + on("simulated") + " --out ";
  succeed(command + at("one"));
  Told told;
  for (double share = 0.95; share > 0.3 && told.outcome.code == 0; share -= 0.05) {
    fs::remove_all(folder / "none");
    told = with_memory(share * peak("one"), command + at("none"));
  }
  EXPECT_EQ(told.outcome.code, 3) << told.outcome.text;
  EXPECT_NE(told.outcome.text.find("one sequence at a time"), std::string::npos)
      << told.outcome.text;
  EXPECT_NE(told.outcome.text.find("--activation-checkpointing"), std::string::npos);
}

}  // namespace
}  // namespace alambic::memory_test
