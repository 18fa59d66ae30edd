// The declared hardware against sets of devices, as a made-up NVIDIA library shows them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "alambic/base/files.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/provenance/policy/hardware.h"

namespace alambic {
namespace {

Gpu h200(int64_t number) {
  return {.name = "NVIDIA H200",
          .uuid = "GPU-" + std::to_string(number),
          .driver = "570.86.15",
          .ecc = true,
          .mig = false};
}

Gpu with(Gpu gpu, const std::function<void(Gpu&)>& change) {
  change(gpu);
  return gpu;
}

struct Hardware : testing::Test {
  TemporaryFolder scratch;

  HardwareRule rule(const std::string& text) const {
    write_file(scratch.path() / "p.toml", text);
    return read_rules(scratch.path() / "p.toml").hardware;
  }
  static std::string found(const HardwareRule& rule, const GpuList& list, bool uses_gpu = true) {
    std::string text;
    for (const PolicyFinding& one : hardware_findings(rule, {.gpus = list, .uses_gpu = uses_gpu})) {
      EXPECT_FALSE(one.met);
      text += one.rule + " ";
    }
    return text;
  }
};

TEST_F(Hardware, IsWhatWasDeclared) {
  const HardwareRule strict = rule(
      "[hardware]\necc = true\nno_mig = true\ndriver_min = \"570\"\ncpu = false\n"
      "[[hardware.device]]\nname = \"NVIDIA H200*\"\nmax_count = 2\n");
  struct Case {
    std::vector<Gpu> gpus;
    const char* findings;
  };
  const std::vector<Case> cases = {
      {{h200(1)}, ""},
      {{h200(1), h200(2)}, ""},
      {{h200(1), h200(2), h200(3)}, "hardware-count "},
      {{with(h200(1), [](Gpu& g) { g.name = "NVIDIA H100"; })}, "hardware-device "},
      {{h200(1), with(h200(2), [](Gpu& g) { g.name = "NVIDIA A100"; })}, "hardware-device "},
      {{with(h200(1), [](Gpu& g) { g.name = ""; })}, "hardware-device "},
      {{with(h200(1), [](Gpu& g) { g.name = "NVIDIA H200 MIG 1g.18gb"; })}, ""},
      {{with(h200(1), [](Gpu& g) { g.mig = true; })}, "hardware-mig "},
      {{with(h200(1), [](Gpu& g) { g.ecc = false; })}, "hardware-ecc "},
      {{with(h200(1), [](Gpu& g) { g.ecc.reset(); })}, "hardware-ecc "},
      {{with(h200(1), [](Gpu& g) { g.driver = "550.54"; })}, "hardware-driver "},
      {{with(h200(1), [](Gpu& g) { g.driver = ""; })}, "hardware-driver "},
      {{with(h200(1), [](Gpu& g) { g.driver = "1000.1"; })}, ""},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(found(strict, {.gpus = cases[i].gpus}), cases[i].findings) << i;
  }
  EXPECT_EQ(found(strict, {}, /*uses_gpu=*/false), "hardware-cpu ");
  EXPECT_EQ(found(strict, {.unknown = "no library"}), "hardware-unknown ");
}

TEST_F(Hardware, MayBeDeclaredByUuid) {
  const HardwareRule one =
      rule("[hardware]\n[[hardware.device]]\nname = \"*\"\nuuids = [\"GPU-1\"]\n");
  EXPECT_EQ(found(one, {.gpus = {h200(1)}}), "");
  EXPECT_EQ(found(one, {.gpus = {h200(2)}}), "hardware-device ");
  EXPECT_EQ(found({}, {.gpus = {h200(2)}}), "");
}

TEST_F(Hardware, IsReadThroughNvidiasLibrary) {
  const fs::path source = fs::path(ALAMBIC_SOURCE_DIR) / "tests/provenance/fake_nvml.c";
  const fs::path library = scratch.path() / "libnvidia-ml.so.1";
  const std::string make = "cc -shared -fPIC -o " + library.string() + " " + source.string();
  ASSERT_EQ(std::system(make.c_str()), 0);
  ASSERT_EQ(::setenv("ALAMBIC_NVML", library.c_str(), 1), 0);
  const GpuList list = list_gpus();
  EXPECT_EQ(list.unknown, "");
  ASSERT_EQ(list.gpus.size(), 2u);
  EXPECT_EQ(list.gpus[1].name, "NVIDIA H200");
  EXPECT_EQ(list.gpus[1].uuid, "GPU-1");
  EXPECT_EQ(list.gpus[1].pci_bus, "00000000:01:00.0");
  EXPECT_EQ(list.gpus[1].driver, "570.86.15");
  EXPECT_EQ(list.gpus[1].ecc, true);
  EXPECT_EQ(list.gpus[1].mig, std::nullopt);
  EXPECT_EQ(list.gpus[1].memory_bytes, 150'754'820'096u);
  EXPECT_EQ(list.gpus[1].compute_capability, "9.0");
  ::setenv("ALAMBIC_NVML", "/no/such/library.so", 1);
  EXPECT_NE(list_gpus().unknown, "");
  ::unsetenv("ALAMBIC_NVML");
}

}  // namespace
}  // namespace alambic
