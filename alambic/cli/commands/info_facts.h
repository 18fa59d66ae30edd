// Facts that `alambic info` prints, in the order of printing.
#pragma once

#include <nlohmann/json.hpp>

#include "alambic/base/files.h"

namespace alambic {

/// Version, system, processor, memory, driver, GPUs, whether CUDA can be used and why not, model
/// types.
nlohmann::ordered_json machine_facts();

/// Architecture, sizes, parameters and their number formats, from config.json and the headers of
/// the weight files; no tensor is read.
nlohmann::ordered_json model_facts(const fs::path& folder);

}  // namespace alambic
