#include "alambic/provenance/energy.h"

#include <fstream>

#include "alambic/base/environment.h"
#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/provenance/machine.h"

namespace alambic {
namespace {

using SortedJson = nlohmann::json;

std::optional<uint64_t> number_in(const fs::path& file) {
  uint64_t value = 0;
  std::ifstream stream(file);
  if (!(stream >> value)) return {};
  return value;
}

std::string name_in(const fs::path& zone) {
  std::string name;
  std::ifstream(zone / "name") >> name;
  return name;
}

// "intel-rapl:0", also on AMD; not its parts "intel-rapl:0:0", nor the "psys" that contains it.
bool is_package(const fs::path& zone) {
  const std::string name = zone.filename().string();
  return name.starts_with("intel-rapl:") && name.find(':') == name.rfind(':') &&
         name_in(zone).starts_with("package");
}

SortedJson sum_of(const SortedJson& now, const SortedJson& before) {
  if (before.is_null() || !now.is_number()) return now;
  if (before.is_number()) return now.get<double>() + before.get<double>();
  return unknown_fact("it was not known of the run's earlier part");
}

}  // namespace

EnergyMeter::EnergyMeter() {
  const fs::path folder = environment_variable("ALAMBIC_POWERCAP").value_or("/sys/class/powercap");
  no_cpu_ = fmt::format("{} has no counter of a processor", folder.string());
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (!is_package(entry.path())) continue;
    const fs::path file = entry.path() / "energy_uj";
    const auto now = number_in(file), range = number_in(entry.path() / "max_energy_range_uj");
    if (!now || !range) {
      no_cpu_ = fmt::format("{} may not be read (it is for root alone)", file.string());
      counters_.clear();
      break;
    }
    counters_.push_back({file, *now, *range});
  }
  if (!counters_.empty()) no_cpu_.clear();
  gpu_start_ = gpu_joules(no_gpu_);
}

void EnergyMeter::update() {
  for (Counter& counter : counters_) {
    const auto now = number_in(counter.file);
    if (!now) {
      no_cpu_ = counter.file.string() + " could no longer be read";
      continue;
    }
    const uint64_t used =
        *now >= counter.last ? *now - counter.last : *now + counter.range - counter.last;
    cpu_joules_ += static_cast<double>(used) * 1e-6;
    counter.last = *now;
  }
}

SortedJson EnergyMeter::read(const SortedJson& before) {
  update();
  SortedJson reading = {
      {"cpu_joules", no_cpu_.empty() ? SortedJson(cpu_joules_) : unknown_fact(no_cpu_)},
      {"gpu_joules", unknown_fact(no_gpu_)}};
  if (gpu_start_) {
    std::string why;
    const auto now = gpu_joules(why);
    reading["gpu_joules"] = now ? SortedJson(*now - *gpu_start_) : unknown_fact(why);
  }
  if (before.is_object()) {
    for (const char* part : {"cpu_joules", "gpu_joules"}) {
      reading[part] = sum_of(reading[part], before.value(part, SortedJson()));
    }
  }
  return reading;
}

SortedJson total_joules(const SortedJson& reading) {
  const SortedJson &cpu = reading.at("cpu_joules"), &gpu = reading.at("gpu_joules");
  if (cpu.is_number() && gpu.is_number()) return cpu.get<double>() + gpu.get<double>();
  if (cpu.is_number()) return cpu;
  if (gpu.is_number()) return gpu;
  return unknown_fact(fmt::format("processors: {}; GPUs: {}", cpu.at("unknown").get<std::string>(),
                                  gpu.at("unknown").get<std::string>()));
}

}  // namespace alambic
