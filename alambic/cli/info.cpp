#include <sys/utsname.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "alambic/cli/info_options.h"
#include "alambic/cli/version.h"

namespace alambic {
namespace {

// "model name : Intel …" of /proc/cpuinfo; "" where the kernel names none.
std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

nlohmann::ordered_json machine() {
  utsname system{};
  uname(&system);
  const double pages = static_cast<double>(sysconf(_SC_PHYS_PAGES));
  const double bytes = pages * static_cast<double>(sysconf(_SC_PAGE_SIZE));
  return {{"alambic", kVersion},
          {"system", std::string(system.sysname) + " " + system.release + " " + system.machine},
          {"cpu", cpu_name()},
          {"threads", std::thread::hardware_concurrency()},
          {"memory_gib", std::round(bytes / (1 << 30) * 10) / 10},
          {"nvidia_driver", std::filesystem::exists("/dev/nvidiactl")}};
}

}  // namespace

int run(const InfoOptions& options) {
  const nlohmann::ordered_json facts = machine();
  if (options.json) {
    fmt::print("{}\n", facts.dump());
    return 0;
  }
  for (const auto& [name, value] : facts.items()) {
    fmt::print("{:<14} {}\n", name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return 0;
}

}  // namespace alambic
