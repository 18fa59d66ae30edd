// The declared hardware against sets of devices, as a made-up NVIDIA library shows them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "alambic/base/files.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/provenance/energy.h"
#include "alambic/provenance/policy/hardware.h"

namespace alambic::hardware_test {
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

// NVIDIA's library as tests/provenance/fake_nvml.c shows it: a line for each GPU.
struct FakeLibrary : Hardware {
  void SetUp() override {
    const fs::path source = fs::path(ALAMBIC_SOURCE_DIR) / "tests/provenance/fake_nvml.c";
    const fs::path library = scratch.path() / "libnvidia-ml.so.1";
    const std::string make = "cc -shared -fPIC -o " + library.string() + " " + source.string();
    ASSERT_EQ(std::system(make.c_str()), 0);
    ASSERT_EQ(::setenv("ALAMBIC_NVML", library.c_str(), 1), 0);
  }
  void TearDown() override {
    ::unsetenv("ALAMBIC_NVML");
    ::unsetenv("FAKE_GPUS");
  }
  void show(const std::string& lines) const {
    write_file(scratch.path() / "gpus", lines);
    ::setenv("FAKE_GPUS", (scratch.path() / "gpus").c_str(), 1);
  }
};

TEST_F(FakeLibrary, IsRead) {
  const GpuList list = list_gpus();
  EXPECT_EQ(list.unknown, "");
  ASSERT_EQ(list.gpus.size(), 2u);
  EXPECT_EQ(list.gpus[1].name, "NVIDIA H200");
  EXPECT_EQ(list.gpus[1].uuid, "GPU-1");
  EXPECT_EQ(list.gpus[1].pci_bus, "00000000:01:00.0");
  EXPECT_EQ(list.gpus[1].driver, "570.86.15");
  EXPECT_EQ(list.gpus[1].cuda, "13.0");
  EXPECT_EQ(list.gpus[1].nvlinks, 3);
  EXPECT_EQ(list.gpus[1].ecc, true);
  EXPECT_EQ(list.gpus[1].mig, std::nullopt);
  EXPECT_EQ(list.gpus[1].memory_bytes, 150'754'820'096u);
  EXPECT_EQ(list.gpus[1].compute_capability, "9.0");
  std::string why;
  EXPECT_DOUBLE_EQ(gpu_joules(why).value(), 12) << why;
  ::setenv("ALAMBIC_NVML", "/no/such/library.so", 1);
  EXPECT_NE(list_gpus().unknown, "");
}

// From the library's functions to the verdict, as a run asks.
TEST_F(FakeLibrary, IsHeldAgainstWhatWasDeclared) {
  const HardwareRule declared = rule(
      "[hardware]\necc = true\nno_mig = true\ndriver_min = \"570\"\ncpu = false\n"
      "[[hardware.device]]\nname = \"NVIDIA H200*\"\nuuids = [\"GPU-a\", \"GPU-b\"]\n"
      "max_count = 2\n[[hardware.device]]\nname = \"NVIDIA L4\"\n");
  const std::vector<std::pair<std::string, std::string>> sets = {
      {"NVIDIA H200|GPU-a|570.86|1|0|1\n", ""},
      {"NVIDIA H200|GPU-a|570.86|1|0|1\nNVIDIA H200|GPU-b|570.86|1|0|1\n", ""},
      {"NVIDIA L4|GPU-z|580.1|1|-|1\n", ""},
      {"NVIDIA H200|GPU-c|570.86|1|0|1\n", "hardware-device "},
      {"NVIDIA H100|GPU-a|570.86|1|0|1\n", "hardware-device "},
      {"NVIDIA H200|-|570.86|1|0|1\n", "hardware-device "},
      {"-|GPU-a|570.86|1|0|1\n", "hardware-device "},
      {"NVIDIA H200|GPU-a|550.54|1|0|1\n", "hardware-driver "},
      {"NVIDIA H200|GPU-a|-|1|0|1\n", "hardware-driver "},
      {"NVIDIA H200|GPU-a|570.86|0|0|1\n", "hardware-ecc "},
      {"NVIDIA H200|GPU-a|570.86|-|0|1\n", "hardware-ecc "},
      {"NVIDIA H200|GPU-a|570.86|1|1|1\n", "hardware-mig "},
      {"NVIDIA L4|GPU-y|580.1|1|-|1\nTesla T4|GPU-x|580.1|1|-|1\n", "hardware-device "},
  };
  for (const auto& [lines, findings] : sets) {
    show(lines);
    EXPECT_EQ(found(declared, list_gpus()), findings) << lines;
  }
  show("NVIDIA H200|GPU-a|570.86|1|0|-\n");
  std::string why;
  EXPECT_EQ(gpu_joules(why), std::nullopt);
  EXPECT_EQ(why, "GPU 0 does not count its energy");
}

}  // namespace
}  // namespace alambic::hardware_test
