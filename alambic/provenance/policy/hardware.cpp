#include "alambic/provenance/policy/hardware.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"

namespace alambic {
namespace {

PolicyFinding finding(const std::string& rule, const std::string& says) {
  return {.about = "hardware",
          .rule = rule,
          .permit = Permit::no,
          .says = says,
          .source = "the operator's [hardware]",
          .remedy = fmt::format("declare it in the policy file, use another machine, or "
                                "--override-policy '{}=REASON', which is recorded",
                                rule)};
}

const DeclaredDevice* declared(const HardwareRule& rule, const Gpu& gpu) {
  for (const DeclaredDevice& device : rule.devices) {
    const bool named =
        device.uuids.empty() || std::ranges::find(device.uuids, gpu.uuid) != device.uuids.end();
    if (!gpu.name.empty() && matches(gpu.name, device.name) && named) return &device;
  }
  return nullptr;
}

// "570.86.15" against "570": number by number.
bool is_older(const std::string& driver, const std::string& least) {
  const auto numbers = [](const std::string& text) {
    std::vector<int64_t> parts = {0};
    for (const char c : text) {
      if (c == '.') parts.push_back(0);
      if (c >= '0' && c <= '9' && parts.back() < 1'000'000)
        parts.back() = parts.back() * 10 + c - '0';
    }
    return parts;
  };
  return driver.empty() || numbers(driver) < numbers(least);
}

void check_gpu(const HardwareRule& rule, const Gpu& gpu, const std::string& name,
               std::vector<PolicyFinding>& found) {
  if (rule.ecc && !gpu.ecc.value_or(false)) {
    found.push_back(finding("hardware-ecc",
                            name + (gpu.ecc ? " has ECC off" : " does not say whether ECC is on")));
  }
  if (rule.no_mig && gpu.mig.value_or(false)) {
    found.push_back(finding("hardware-mig", name + " is split into MIG instances"));
  }
  if (!rule.driver_min.empty() && is_older(gpu.driver, rule.driver_min)) {
    found.push_back(finding(
        "hardware-driver",
        fmt::format("{} has driver {}, below {}", name,
                    gpu.driver.empty() ? "unknown" : printable(gpu.driver), rule.driver_min)));
  }
}

}  // namespace

std::vector<PolicyFinding> hardware_findings(const HardwareRule& rule,
                                             const PolicyQuestion& question) {
  std::vector<PolicyFinding> found;
  if (!rule.declared) return found;
  if (!question.uses_gpu && !rule.cpu) {
    found.push_back(finding("hardware-cpu", "the run uses no GPU, and only GPUs are declared"));
  }
  if (!question.gpus.unknown.empty() && question.uses_gpu) {
    found.push_back(
        finding("hardware-unknown", "the GPUs are not known: " + question.gpus.unknown));
  }
  std::vector<const DeclaredDevice*> uses;
  for (const Gpu& gpu : question.gpus.gpus) {
    const std::string name =
        fmt::format("{} ({})", gpu.name.empty() ? "a GPU without a name" : printable(gpu.name),
                    gpu.uuid.empty() ? "no UUID" : printable(gpu.uuid));
    const DeclaredDevice* device = declared(rule, gpu);
    if (device == nullptr) {
      found.push_back(finding("hardware-device", name + " is not declared"));
      continue;
    }
    uses.push_back(device);
    if (device->max_count > 0 && std::ranges::count(uses, device) > device->max_count) {
      found.push_back(finding("hardware-count", fmt::format("{} is one more than the {} declared",
                                                            name, device->max_count)));
    }
    check_gpu(rule, gpu, name, found);
  }
  return found;
}

}  // namespace alambic
