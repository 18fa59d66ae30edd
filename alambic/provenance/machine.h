// The machine that a process runs on, as the system and the driver tell it: nobody vouches for
// that.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "alambic/provenance/folder_digests.h"

namespace alambic {

/// A GPU as NVIDIA's management library describes it; empty and absent: it does not say.
struct Gpu {
  std::string name, uuid, pci_bus, driver;
  std::string cuda;  ///< newest version that the driver knows: "13.0"
  std::optional<bool> ecc, mig;
  std::optional<uint64_t> memory_bytes, power_limit_milliwatts;
  std::string compute_capability;  ///< "9.0"
  std::optional<int> nvlinks;      ///< that are up
};

struct GpuList {
  std::vector<Gpu> gpus;
  std::string unknown;  ///< why there is no list; "" where there is one, perhaps an empty one
};

/// GPUs of this machine, through libnvidia-ml.so.1, or the library that ALAMBIC_NVML names.
GpuList list_gpus();

/// {"unknown": reason}: how a record states what could not be found out.
nlohmann::json unknown_fact(const std::string& reason);

/// Processor, memory, system and GPUs, for a run's record.
nlohmann::json hardware_facts();

/// The program's version, commit and how it was built; `files` is unknown.
nlohmann::json tool_facts();

/// The program's file and the libraries of ours and of libtorch that are loaded, with their
/// digests. Reads a gigabyte where CUDA is loaded.
nlohmann::json tool_files(DigestMemo& memo);

}  // namespace alambic
