// Names in a run folder, for those who write it and those who read it (docs/formats.md).
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace alambic::run_files {

inline constexpr std::string_view config = "config.toml";
inline constexpr std::string_view metrics = "metrics.jsonl";
inline constexpr std::string_view samples = "samples.jsonl";
inline constexpr std::string_view results = "results.json";
inline constexpr std::string_view report = "report.html";
inline constexpr std::string_view checkpoints = "checkpoints";
inline constexpr std::string_view model = "model";
inline constexpr std::string_view adapter = "adapter";
inline constexpr std::string_view provenance = "provenance";
inline constexpr std::string_view remote = "remote";
inline constexpr std::string_view servers = "remote.json";
inline constexpr std::string_view profile = "profile";
inline constexpr std::string_view lock = "run.lock";
inline constexpr std::string_view events_prefix = "events.out.tfevents.";

/// Whether a file or folder of this name is part of a run; the lock is part of no run.
inline bool belongs_to_run(std::string_view name) {
  constexpr std::array names = {config, metrics, samples,    results, report,  checkpoints,
                                model,  adapter, provenance, remote,  servers, profile};
  return std::ranges::find(names, name) != names.end() || name.starts_with(events_prefix);
}

}  // namespace alambic::run_files
