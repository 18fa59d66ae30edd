#include "alambic/hub/hub.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/json_object.h"
#include "alambic/base/log.h"
#include "alambic/base/printable.h"
#include "alambic/base/progress.h"
#include "alambic/base/units.h"
#include "alambic/hub/http.h"
#include "alambic/hub/hub_download.h"

namespace alambic {

namespace {

constexpr std::array small_files = {"config.json",        "generation_config.json",
                                    "tokenizer.json",     "tokenizer_config.json",
                                    "tokenizer.model",    "special_tokens_map.json",
                                    "added_tokens.json",  "vocab.json",
                                    "merges.txt",         "vocab.txt",
                                    "chat_template.json", "chat_template.jinja"};

// Whole weights and the index of shards, best first.
constexpr std::array weight_files = {"model.safetensors", "model.safetensors.index.json",
                                     "pytorch_model.bin", "pytorch_model.bin.index.json"};

// A commit and its files, as the hub lists them.
struct Listing {
  std::string commit;
  std::map<std::string, std::optional<uint64_t>> files;  // name -> bytes, where it says them
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// A name that a server may give a file: it stays within the folder, whatever the system.
void check_file_name(const std::string& model, const std::string& name) {
  const bool leaves = name.empty() || name.front() == '/' ||
                      name.find_first_of(std::string_view("\\:\0", 3)) != std::string::npos ||
                      ("/" + name + "/").find("/../") != std::string::npos;
  if (!leaves) return;
  throw environment_error("cannot fetch {}: the hub lists a file outside the model's folder, {}",
                          model, printable(name));
}

// Held while this process fetches into the model's folder; the next one finds the work done.
class Lock {
 public:
  explicit Lock(const fs::path& path) {
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX) == 0) return;
    const std::error_code reason(errno, std::system_category());
    if (descriptor_ >= 0) ::close(descriptor_);  // no destructor runs
    throw path_error("lock", path, reason);
  }
  ~Lock() { ::close(descriptor_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int descriptor_;
};

class Fetch {
 public:
  Fetch(const HubName& name, const HubSettings& settings, bool weights)
      : name_(name),
        settings_(settings),
        weights_(weights),
        home_(settings.cache / hub_folder_name(name.id)),
        ref_(home_ / "refs" / url_encoded(name.revision)) {}

  fs::path run();

 private:
  std::string cached_commit() const;
  fs::path snapshot(const std::string& commit) const { return home_ / "snapshots" / commit; }
  bool is_complete(const std::string& commit) const {
    const fs::path all = home_ / "complete" / commit;
    return path_exists(all) || (!weights_ && path_exists(all.string() + ".small"));
  }
  std::optional<Listing> list() const;
  void fetch(const Listing& listing) const;
  void fetch_files(const Listing& listing, const std::vector<std::string>& names,
                   Progress& progress, int64_t& done) const;

  const HubName& name_;
  const HubSettings& settings_;
  const bool weights_;
  fs::path home_, ref_;
};

// The commit that the revision is or was, complete in the cache; "" when there is none.
std::string Fetch::cached_commit() const {
  std::string commit = name_.revision;
  if (!is_commit(commit) && path_exists(ref_)) commit = read_file(ref_, 100);
  return is_commit(commit) && is_complete(commit) ? commit : "";
}

// Nothing when the hub cannot be reached but an earlier reply is in the cache.
std::optional<Listing> Fetch::list() const {
  constexpr size_t max = 64 << 20;
  const std::string url = fmt::format("{}/api/models/{}/revision/{}?blobs=true", settings_.endpoint,
                                      name_.id, url_encoded(name_.revision));
  std::string text;
  const HttpReply reply = http_get({.url = url, .token = settings_.token}, [&](long, auto piece) {
    if (text.size() + piece.size() > max) {
      throw environment_error("cannot read {}: it is longer than {} bytes", url, max);
    }
    text += piece;
  });
  if (reply.status < 200 || reply.status >= 300 || !reply.failure.empty()) {
    if (is_passing(reply.status, reply.failure) && !cached_commit().empty()) return {};
    refuse_reply(fmt::format("fetch {} from {}", name_.id, settings_.endpoint), reply.status,
                 reply.failure, settings_);
  }
  const auto json = parse_json_object<nlohmann::json>(text, url);
  Listing listing;
  if (json.contains("sha") && json["sha"].is_string()) listing.commit = json["sha"];
  const bool other = is_commit(name_.revision) && listing.commit != name_.revision;
  if (other || !is_commit(listing.commit) || !json.contains("siblings") ||
      !json["siblings"].is_array()) {
    throw environment_error(
        "cannot read {}: it should say the commit (\"sha\") and the files (\"siblings\")", url)
        .with_hint("does HF_ENDPOINT point to a Hugging Face hub?");
  }
  for (const auto& file : json["siblings"]) {
    if (!file.is_object() || !file.contains("rfilename") || !file["rfilename"].is_string()) {
      throw environment_error("cannot read {}: a file without a name", url);
    }
    const std::string name = file["rfilename"];
    check_file_name(name_.id, name);
    auto& size = listing.files[name];
    if (file.contains("size") && file["size"].is_number_unsigned()) size = file["size"];
  }
  return listing;
}

void Fetch::fetch_files(const Listing& listing, const std::vector<std::string>& names,
                        Progress& progress, int64_t& done) const {
  for (const std::string& name : names) {
    const fs::path to = snapshot(listing.commit) / name;
    const auto size = listing.files.at(name);
    if (!path_exists(to)) {
      const std::string url = fmt::format("{}/{}/resolve/{}/{}", settings_.endpoint, name_.id,
                                          listing.commit, url_encoded(name));
      const auto moved = [&](uint64_t bytes) {
        const int64_t now = done + static_cast<int64_t>(bytes);
        progress.update(now, name, human_bytes(static_cast<double>(now)));
      };
      download({.url = url, .to = to, .size = size}, settings_, moved);
    }
    done += static_cast<int64_t>(file_bytes(to));
  }
}

void Fetch::fetch(const Listing& listing) const {
  std::vector<std::string> listed;
  for (const auto& [name, size] : listing.files) listed.push_back(name);
  const std::vector<std::string> names = wanted_files(name_.id, listed, weights_);
  const fs::path folder = snapshot(listing.commit);
  make_folder(folder);
  // The shards are known once the index is there; their total, as far as the listing says it.
  const bool sharded = names.back().ends_with(".index.json");
  const std::string stem = names.back().substr(0, names.back().find('.'));
  const std::string kind = stem == "model" ? ".safetensors" : ".bin";
  int64_t total = 0, done = 0;
  for (const auto& [name, size] : listing.files) {
    const bool shard = sharded && name.starts_with(stem + "-") && name.ends_with(kind);
    if (shard || std::ranges::find(names, name) != names.end()) {
      total += static_cast<int64_t>(size.value_or(0));
    }
  }
  Progress progress("fetch " + name_.id, total);
  fetch_files(listing, names, progress, done);
  if (sharded) {
    const auto index =
        parse_json_object<nlohmann::json>(read_file(folder / names.back(), 64 << 20), names.back());
    std::set<std::string> shards;
    const auto map = index.value("weight_map", nlohmann::json::object());
    for (const auto& [tensor, file] : map.items()) {
      const std::string shard = file.is_string() ? file.get<std::string>() : "";
      if (!listing.files.contains(shard) || shard.find('/') != std::string::npos) {
        throw input_error("cannot fetch {}: {} names the file {}, which the model does not have",
                          name_.id, names.back(), printable(file.dump()));
      }
      shards.insert(shard);
    }
    fetch_files(listing, {shards.begin(), shards.end()}, progress, done);
  }
  progress.finish();
  make_folder(home_ / "complete");
  write_file(home_ / "complete" / (listing.commit + (weights_ ? "" : ".small")), "");
}

fs::path Fetch::run() {
  const std::string cached = cached_commit();
  if (is_commit(name_.revision) && !cached.empty()) return snapshot(cached);
  if (settings_.offline) {
    if (!cached.empty()) return snapshot(cached);
    throw input_error(
        "cannot load {}@{}: it is not in the cache, {}, and the network is not to be "
        "used",
        name_.id, name_.revision, settings_.cache.string())
        .with_hint("fetch it once without --offline and HF_HUB_OFFLINE");
  }
  make_folder(home_ / "refs");
  const Lock lock(home_ / "lock");
  const std::optional<Listing> listing = list();
  if (!listing) {
    warn("{} cannot be reached; taking {}@{} from the cache as it was", settings_.endpoint,
         name_.id, name_.revision);
    return snapshot(cached);
  }
  if (!is_complete(listing->commit)) fetch(*listing);
  write_file(ref_, listing->commit);
  return snapshot(listing->commit);
}

}  // namespace

HubSettings hub_settings() {
  HubSettings settings;
  if (const std::string endpoint = variable("HF_ENDPOINT"); !endpoint.empty()) {
    if (!endpoint.starts_with("http://") && !endpoint.starts_with("https://")) {
      throw input_error("HF_ENDPOINT should begin with https:// or http://, found '{}'",
                        printable(endpoint));
    }
    settings.endpoint = endpoint.substr(0, endpoint.find_last_not_of('/') + 1);
  }
  settings.token = variable("HF_TOKEN");
  if (settings.token.find_first_of("\r\n") != std::string::npos) {
    throw input_error("HF_TOKEN has a line break in it");
  }
  const std::string offline = variable("HF_HUB_OFFLINE");
  settings.offline = !offline.empty() && offline != "0";
  fs::path cache = variable("ALAMBIC_CACHE");
  if (cache.empty()) {
    const fs::path base = variable("XDG_CACHE_HOME");
    cache = (base.empty() ? fs::path(variable("HOME")) / ".cache" : base) / "alambic";
  }
  std::error_code error;
  settings.cache = fs::absolute(cache, error) / "hub";
  if (error) throw path_error("find the cache", cache, error);
  return settings;
}

std::vector<std::string> wanted_files(const std::string& model,
                                      const std::vector<std::string>& listed, bool weights) {
  const auto has = [&](std::string_view name) {
    return std::ranges::find(listed, name) != listed.end();
  };
  std::vector<std::string> wanted;
  for (const char* name : small_files) {
    if (has(name)) wanted.emplace_back(name);
  }
  for (const std::string& name : listed) {
    if (name.ends_with(".tiktoken") && name.find('/') == std::string::npos) wanted.push_back(name);
  }
  const auto found = std::ranges::find_if(weight_files, has);
  if ((weights && found == weight_files.end()) || !has("config.json")) {
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
