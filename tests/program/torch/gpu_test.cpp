// What is said of GPUs on machines that have none, or too little for them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/temporary_folder.h"
#include "tests/program/program.h"

namespace alambic::gpu_test {
namespace {

// Bug: no GPU was ever listed, and why none can be used was not said.
TEST(Gpu, IsListedWithWhatIsMissing) {
  const TemporaryFolder scratch;
  const std::string library = (scratch.path() / "libnvidia-ml.so.1").string();
  ASSERT_EQ(shell("cc -shared -fPIC -o " + library + " " + ALAMBIC_SOURCE_DIR +
                  "/tests/provenance/fake_nvml.c")
                .code,
            0);
  const auto facts = nlohmann::json::parse(
      shell("ALAMBIC_NVML=" + library + " " + kProgram + " info --json 2>/dev/null").text);
  ASSERT_EQ(facts["gpus"].size(), 2u);
  EXPECT_EQ(facts["gpus"][1], "1: NVIDIA H200, compute capability 9.0, 140 GiB, driver 570.86.15");
  const auto none = nlohmann::json::parse(
      shell("ALAMBIC_NVML=/nowhere.so " + kProgram + " info --json 2>/dev/null").text);
  EXPECT_EQ(none["gpus"][0], "none: there is no NVIDIA management library");
  if (access("/dev/nvidiactl", F_OK) == 0) GTEST_SKIP() << "there is a driver";
  EXPECT_EQ(none["cuda"], "cannot be used: there is no NVIDIA driver");
}

// Bug: "no NVIDIA GPU can be used on this machine", whatever the reason.
TEST(Gpu, ThatCannotBeUsedIsAnErrorThatSaysWhy) {
  if (access("/dev/nvidiactl", F_OK) == 0) GTEST_SKIP() << "there is a driver";
  const std::string golden = std::string(ALAMBIC_SOURCE_DIR) + "/tests/golden/llama";
  const auto generate = [&](const std::string& device) {
    return alambic("generate --model " + golden + " --prompt x --device " + device);
  };
  for (const char* device : {"cuda", "cuda:3"}) {
    const Outcome outcome = generate(device);
    EXPECT_EQ(outcome.code, 3) << outcome.text;
    EXPECT_NE(outcome.text.find(std::string("cannot use --device ") + device +
                                ": there is no NVIDIA driver: neither /dev/nvidiactl nor"),
              std::string::npos)
        << outcome.text;
    EXPECT_NE(outcome.text.find("tools/setup --cuda"), std::string::npos) << outcome.text;
  }
  for (const char* device : {"gpu", "cuda:x", "simulated"}) {
    const Outcome outcome = generate(device);
    EXPECT_EQ(outcome.code, 2) << outcome.text;
    EXPECT_NE(outcome.text.find("--device: expected cpu, cuda, cuda:N or auto"), std::string::npos)
        << outcome.text;
  }
}

}  // namespace
}  // namespace alambic::gpu_test
