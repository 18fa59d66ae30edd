#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "alambic/base/files.h"

namespace alambic {

enum class RunFile { metrics, samples };

/// Whole lines of a training run's file that is being written: {"run": its folder's name, "lines":
/// text, "next": where to go on}. `after`: the `next` of an earlier call, or "0" for the beginning
/// (of samples: the last ones). Not more than 1 MB at a time. An ApiError 400 for another `after`.
nlohmann::ordered_json run_feed(const fs::path& run, RunFile file, const std::string& after);

}  // namespace alambic
