#include "alambic/provenance/energy.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "alambic/base/file_system.h"
#include "alambic/base/temporary_folder.h"

namespace alambic::energy_test {
namespace {

// A folder as the kernel's /sys/class/powercap, with two packages, a part of one and their sum.
struct Energy : testing::Test {
  TemporaryFolder scratch;

  void SetUp() override {
    ::setenv("ALAMBIC_POWERCAP", scratch.path().c_str(), 1);
    ::setenv("ALAMBIC_NVML", "/no/such/library.so", 1);
  }
  void TearDown() override {
    ::unsetenv("ALAMBIC_POWERCAP");
    ::unsetenv("ALAMBIC_NVML");
  }
  void zone(const std::string& name, const std::string& what, uint64_t microjoules) const {
    const fs::path at = scratch.path() / name;
    make_folder(at);
    write_file(at / "name", what + "\n");
    write_file(at / "energy_uj", std::to_string(microjoules) + "\n");
    write_file(at / "max_energy_range_uj", "10000000\n");
  }
};

TEST_F(Energy, IsThatOfThePackagesAlone) {
  zone("intel-rapl:0", "package-0", 1'000'000);
  zone("intel-rapl:0:0", "core", 1'000'000);
  zone("intel-rapl:1", "package-1", 2'000'000);
  zone("intel-rapl:2", "psys", 0);
  EnergyMeter meter;
  zone("intel-rapl:0", "package-0", 4'000'000);
  zone("intel-rapl:0:0", "core", 9'000'000);
  zone("intel-rapl:1", "package-1", 2'500'000);
  zone("intel-rapl:2", "psys", 9'000'000);
  const nlohmann::json read = meter.read();
  EXPECT_DOUBLE_EQ(read["cpu_joules"].get<double>(), 3.5);
  EXPECT_TRUE(read["gpu_joules"].contains("unknown"));
  EXPECT_DOUBLE_EQ(total_joules(read).get<double>(), 3.5);
}

// Bug: a counter that had begun again gave 18 exajoules, or less than had been used.
TEST_F(Energy, GoesOnWhereACounterBeginsAgain) {
  zone("intel-rapl:0", "package-0", 9'000'000);
  EnergyMeter meter;
  zone("intel-rapl:0", "package-0", 1'000'000);
  meter.update();
  zone("intel-rapl:0", "package-0", 3'000'000);
  EXPECT_DOUBLE_EQ(meter.read()["cpu_joules"].get<double>(), 4);
}

TEST_F(Energy, AddsTheRunsEarlierPart) {
  zone("intel-rapl:0", "package-0", 0);
  EnergyMeter meter;
  zone("intel-rapl:0", "package-0", 1'000'000);
  nlohmann::json before = {{"cpu_joules", 2.0}, {"gpu_joules", 5.0}};
  EXPECT_DOUBLE_EQ(meter.read(before)["cpu_joules"].get<double>(), 3);
  before["cpu_joules"] = {{"unknown", "no counter"}};
  EXPECT_TRUE(meter.read(before)["cpu_joules"].contains("unknown")) << "of half a run";
}

TEST_F(Energy, SaysWhyItIsUnknown) {
  const nlohmann::json total = total_joules(EnergyMeter().read());
  const std::string why = total["unknown"];
  EXPECT_NE(why.find("has no counter of a processor"), std::string::npos) << why;
  EXPECT_NE(why.find("no NVIDIA management library"), std::string::npos) << why;
}

}  // namespace
}  // namespace alambic::energy_test
