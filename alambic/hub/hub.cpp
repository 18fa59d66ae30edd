#include "alambic/hub/hub.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/json_object.h"
#include "alambic/base/log.h"
#include "alambic/base/printable.h"
#include "alambic/base/progress.h"
#include "alambic/hub/hub_cache.h"
#include "alambic/hub/hub_listing.h"
#include "alambic/hub/hub_lock.h"
#include "alambic/io/model_file_names.h"

namespace alambic {

namespace {

constexpr std::array model_configurations = {"config.json", "generation_config.json"};

class Fetch {
 public:
  Fetch(const HubName& name, const HubSettings& settings, bool weights)
      : name_(name), settings_(settings), weights_(weights), cache_(settings.cache, name.id) {}

  fs::path run();

 private:
  std::string cached_commit() const;
  void fetch(const HubListing& listing) const;
  void fetch_files(const HubListing& listing, const std::vector<std::string>& names,
                   Progress& progress, int64_t& done) const {
    fetch_listed(HubKind::model, name_, settings_, listing, names, progress, done);
  }
  std::set<std::string> shards_of(const HubListing& listing, const std::string& name) const;
  bool has_all(const HubListing& listing) const;
  void remember(const HubListing& listing) const;

  const HubName& name_;
  const HubSettings& settings_;
  const bool weights_;
  HubCache cache_;
};

// The commit that the revision is or was, where it can be loaded from the cache; else "".
std::string Fetch::cached_commit() const {
  const std::string commit = cache_.commit_of(name_.revision);
  return !commit.empty() && cache_.is_usable(commit, weights_) ? commit : "";
}

// Names of the index that lies in the snapshot; each is a file of the model.
std::set<std::string> Fetch::shards_of(const HubListing& listing, const std::string& name) const {
  const fs::path file = cache_.snapshot(listing.commit) / name;
  const auto index = parse_json_object<nlohmann::json>(read_file(file, 64 << 20), name);
  std::set<std::string> shards;
  const auto map = index.value("weight_map", nlohmann::json::object());
  for (const auto& [tensor, file] : map.items()) {
    const std::string shard = file.is_string() ? file.get<std::string>() : "";
    if (!listing.files.contains(shard) || shard.find('/') != std::string::npos) {
      throw input_error("cannot fetch {}: {} names the file {}, which the model does not have",
                        name_.id, name, printable(file.dump()));
    }
    shards.insert(shard);
  }
  return shards;
}

bool Fetch::has_all(const HubListing& listing) const {
  const fs::path folder = cache_.snapshot(listing.commit);
  std::vector<std::string> names = wanted_files(name_.id, listing.names(), weights_);
  const auto there = [&](const std::string& name) { return path_exists(folder / name); };
  if (!std::ranges::all_of(names, there)) return false;
  return !names.back().ends_with(".index.json") ||
         std::ranges::all_of(shards_of(listing, names.back()), there);
}

// For the next time, without a network too. A cache of others that we may only read has the model
// all the same.
void Fetch::remember(const HubListing& listing) const {
  try {
    cache_.set_commit(name_.revision, listing.commit);
    if (!cache_.is_complete(listing.commit, weights_)) {
      cache_.mark_complete(listing.commit, weights_);
    }
  } catch (const Error& error) {
    if (error.exit() != Exit::environment) throw;
  }
}

void Fetch::fetch(const HubListing& listing) const {
  const std::vector<std::string> names = wanted_files(name_.id, listing.names(), weights_);
  make_folder(cache_.snapshot(listing.commit));
  // The shards are known once the index is there; their total, as far as the listing says it.
  const bool sharded = names.back().ends_with(".index.json");
  const std::string stem = names.back().substr(0, names.back().find('.'));
  const std::string kind = stem == "model" ? ".safetensors" : ".bin";
  int64_t total = 0, done = 0;
  for (const auto& [name, file] : listing.files) {
    const bool shard = sharded && name.starts_with(stem + "-") && name.ends_with(kind);
    if (shard || std::ranges::find(names, name) != names.end()) {
      total += static_cast<int64_t>(file.bytes.value_or(0));
    }
  }
  Progress progress("fetch " + name_.id, total);
  fetch_files(listing, names, progress, done);
  if (sharded) {
    const std::set<std::string> shards = shards_of(listing, names.back());
    fetch_files(listing, {shards.begin(), shards.end()}, progress, done);
  }
  progress.finish();
}

fs::path Fetch::run() {
  const std::string cached = cached_commit();
  if (is_commit(name_.revision) && cache_.is_complete(name_.revision, weights_)) {
    return cache_.snapshot(name_.revision);
  }
  if (settings_.offline) {
    if (!cached.empty()) return cache_.snapshot(cached);
    throw input_error(
        "cannot load {}@{}: it is not in the cache, {}, and the network is not to be "
        "used",
        name_.id, name_.revision, settings_.cache.string())
        .with_hint("fetch it once without --offline and HF_HUB_OFFLINE");
  }
  const std::optional<HubListing> listing =
      list_hub_files(HubKind::model, name_, settings_, !cached.empty());
  if (!listing) {
    warn("{} cannot be reached, or does not let us; taking {}@{} from the cache as it was",
         settings_.endpoint, name_.id, name_.revision);
    return cache_.snapshot(cached);
  }
  if (!has_all(*listing)) {
    make_folder(cache_.lock().parent_path());
    const HubLock lock(cache_.lock());
    fetch(*listing);
  }
  remember(*listing);
  return cache_.snapshot(listing->commit);
}

}  // namespace

std::vector<std::string> wanted_files(const std::string& model,
                                      const std::vector<std::string>& listed, bool weights) {
  const auto has = [&](std::string_view name) {
    return std::ranges::find(listed, name) != listed.end();
  };
  std::vector<std::string> wanted;
  std::ranges::copy_if(model_configurations, std::back_inserter(wanted), has);
  std::ranges::copy_if(tokenizer_file_names, std::back_inserter(wanted), has);
  for (const std::string& name : listed) {
    if (name.ends_with(".tiktoken") && name.find('/') == std::string::npos) wanted.push_back(name);
    if (name.starts_with("additional_chat_templates/") && name.ends_with(".jinja")) {
      wanted.push_back(name);
    }
  }
  const auto found = std::ranges::find_if(weight_file_names, has);
  if ((weights && found == weight_file_names.end()) || !has("config.json")) {
    const bool gguf = std::ranges::any_of(
        listed, [](const std::string& name) { return name.ends_with(".gguf"); });
    throw input_error("cannot fetch {}: it has no {}", model,
                      has("config.json") ? "safetensors or pytorch_model.bin" : "config.json")
        .with_hint(gguf ? "download one of its GGUF files, and give that file"
                        : "is it a language model in transformers' layout?");
  }
  if (weights) wanted.emplace_back(*found);
  return wanted;
}

fs::path fetch_model(const HubName& name, const HubSettings& settings, bool weights) {
  return Fetch(name, settings, weights).run();
}

}  // namespace alambic
