#include "alambic/hub/hub_cache.h"

#include <nlohmann/json.hpp>

#include "alambic/base/file_system.h"

namespace alambic {
namespace {

// Whole weights, or an index with all its shards; a damaged index counts as none.
bool has_weights(const fs::path& folder) {
  for (const std::string stem : {"model.safetensors", "pytorch_model.bin"}) {
    if (is_file(folder / stem)) return true;
    const fs::path file = folder / (stem + ".index.json");
    if (!is_file(file)) continue;
    const auto index = nlohmann::json::parse(read_file(file, 64 << 20), nullptr, false);
    if (!index.is_object() || !index.contains("weight_map")) continue;
    bool whole = !index["weight_map"].empty();
    for (const auto& shard : index["weight_map"]) {
      whole = whole && shard.is_string() && is_file(folder / shard.get<std::string>());
    }
    if (whole) return true;
  }
  return false;
}

}  // namespace

HubCache::HubCache(const fs::path& cache, const std::string& id, HubKind kind)
    : home_(cache / hub_folder_name(id, kind)),
      lock_(cache / ".locks" / hub_folder_name(id, kind) / "alambic.lock") {}

std::string HubCache::commit_of(const std::string& revision) const {
  if (is_commit(revision)) return revision;
  const fs::path ref = home_ / "refs" / revision;
  if (!is_file(ref)) return "";
  const std::string commit = read_file(ref, 100);
  return is_commit(commit) ? commit : "";
}

void HubCache::set_commit(const std::string& revision, const std::string& commit) const {
  if (commit_of(revision) == commit) return;
  const fs::path ref = home_ / "refs" / revision;
  make_folder(ref.parent_path());
  write_file(ref, commit);
}

bool HubCache::is_complete(const std::string& commit, bool weights) const {
  if (!is_folder(snapshot(commit))) return false;  // `hf cache rm` leaves our marks
  const fs::path all = home_ / "complete" / commit;
  return path_exists(all)
             ? is_usable(commit, weights)
             : !weights && path_exists(all.string() + ".small") && is_usable(commit, false);
}

void HubCache::mark_complete(const std::string& commit, bool weights) const {
  make_folder(home_ / "complete");
  write_file(home_ / "complete" / (commit + (weights ? "" : ".small")), "");
}

bool HubCache::is_usable(const std::string& commit, bool weights) const {
  const fs::path folder = snapshot(commit);
  return is_file(folder / "config.json") && (!weights || has_weights(folder));
}

}  // namespace alambic
