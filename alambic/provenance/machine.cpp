#include "alambic/provenance/machine.h"

#include <link.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "alambic/base/cpu_threads.h"
#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/processor_name.h"
#include "alambic/base/version.h"
#include "alambic/provenance/build_facts.h"

namespace alambic {
namespace {

using SortedJson = nlohmann::json;

template <class Value>
SortedJson fact(const Value& value, bool known) {
  return known ? SortedJson(value) : unknown_fact("the driver does not say");
}

SortedJson json_of(const Gpu& gpu) {
  return {{"name", fact(gpu.name, !gpu.name.empty())},
          {"uuid", fact(gpu.uuid, !gpu.uuid.empty())},
          {"pci_bus", fact(gpu.pci_bus, !gpu.pci_bus.empty())},
          {"driver", fact(gpu.driver, !gpu.driver.empty())},
          {"compute_capability", fact(gpu.compute_capability, !gpu.compute_capability.empty())},
          {"cuda", fact(gpu.cuda, !gpu.cuda.empty())},
          {"nvlinks", fact(gpu.nvlinks.value_or(0), gpu.nvlinks.has_value())},
          {"ecc", fact(gpu.ecc.value_or(false), gpu.ecc.has_value())},
          {"mig", fact(gpu.mig.value_or(false), gpu.mig.has_value())},
          {"memory_bytes", fact(gpu.memory_bytes.value_or(0), gpu.memory_bytes.has_value())},
          {"power_limit_milliwatts",
           fact(gpu.power_limit_milliwatts.value_or(0), gpu.power_limit_milliwatts.has_value())}};
}

SortedJson gpu_facts() {
  const GpuList list = list_gpus();
  if (!list.unknown.empty()) return unknown_fact(list.unknown);
  SortedJson gpus = SortedJson::array();
  for (const Gpu& gpu : list.gpus) gpus.push_back(json_of(gpu));
  return gpus;
}

// The program itself and what it loaded of us and of the libraries that compute.
std::vector<fs::path> code_files() {
  std::vector<fs::path> files;
  std::error_code error;
  files.push_back(fs::read_symlink("/proc/self/exe", error));
  const auto add = [](dl_phdr_info* info, size_t, void* found) {
    const fs::path path = info->dlpi_name;
    const std::string name = path.filename().string();
    for (const char* ours :
         {"libalambic", "libtorch", "libc10", "libcudnn", "libcublas", "libnccl"}) {
      if (name.starts_with(ours)) static_cast<std::vector<fs::path>*>(found)->push_back(path);
    }
    return 0;
  };
  ::dl_iterate_phdr(add, &files);
  return files;
}

}  // namespace

SortedJson tool_files(DigestMemo& memo) {
  std::vector<FilePart> parts;
  for (const fs::path& file : code_files()) {
    std::error_code error;
    const uint64_t bytes = fs::file_size(file, error);
    if (!error) parts.push_back({file.string(), 0, bytes});
  }
  const std::vector<std::string> digests = memo.digests_of("/", parts);
  SortedJson files = SortedJson::array();
  for (size_t i = 0; i < parts.size(); ++i) {
    files.push_back({{"name", fs::path(parts[i].name).filename().string()},
                     {"bytes", parts[i].end},
                     {"sha256", digests[i]}});
  }
  std::sort(files.begin(), files.end(),
            [](const SortedJson& a, const SortedJson& b) { return a["name"] < b["name"]; });
  return files;
}

SortedJson unknown_fact(const std::string& reason) { return {{"unknown", reason}}; }

SortedJson hardware_facts() {
  utsname system{};
  ::uname(&system);
  const auto pages = static_cast<uint64_t>(std::max(0L, ::sysconf(_SC_PHYS_PAGES)));
  const std::string cpu = processor_name();
  const SortedJson rank = {
      {"cpu", cpu.empty() ? unknown_fact("the kernel names none") : SortedJson(cpu)},
      {"threads", default_threads()},
      {"memory_bytes", pages * static_cast<uint64_t>(::sysconf(_SC_PAGE_SIZE))},
      {"system", fmt::format("{} {} {}", system.sysname, system.release, system.machine)},
      {"gpus", gpu_facts()}};
  return {{"self_reported", true}, {"ranks", SortedJson::array({rank})}};
}

SortedJson tool_facts() {
  const std::string commit = kCommit;
  return {{"name", "alambic"},
          {"version", kVersion},
          {"compiler", __VERSION__},
          {"build", kBuildFlags},
          {"commit", commit.empty() ? unknown_fact("it was not built in a Git repository")
                                    : SortedJson(commit)},
          {"files", unknown_fact("they have not been read yet")}};
}

}  // namespace alambic
