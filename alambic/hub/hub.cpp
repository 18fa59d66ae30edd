#include "alambic/hub/hub.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
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
#include "alambic/hub/hub_cache.h"
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

struct ListedFile {
  std::optional<uint64_t> bytes;  // where the hub says them
  std::string digest;             // the name of its blob; "" where the hub does not say it
};

// A commit and its files, as the hub lists them.
struct Listing {
  std::string commit;
  std::map<std::string, ListedFile> files;
};

// A name that a server may give a file: it stays within the folder, whatever the system.
void check_file_name(const std::string& model, const std::string& name) {
  const bool leaves = name.empty() || name.front() == '/' ||
                      name.find_first_of(std::string_view("\\:\0", 3)) != std::string::npos ||
                      ("/" + name + "/").find("/../") != std::string::npos;
  if (!leaves) return;
  throw environment_error("cannot fetch {}: the hub lists a file outside the model's folder, {}",
                          model, printable(name));
}

std::optional<uint64_t> bytes_of(const nlohmann::json& file) {
  if (!file.contains("size") || !file["size"].is_number_unsigned()) return std::nullopt;
  return file["size"].get<uint64_t>();
}

// SHA-256 of a file in Git LFS, git's own of others.
std::string digest_of(const nlohmann::json& file) {
  const auto text = [](const nlohmann::json& object, const char* key) -> std::string {
    const bool there = object.is_object() && object.contains(key) && object[key].is_string();
    return there ? object[key].get<std::string>() : "";
  };
  const bool large = file.contains("lfs") && file["lfs"].is_object();
  const std::string digest = large ? text(file["lfs"], "sha256") : text(file, "blobId");
  return is_blob_name(digest) ? digest : "";
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

std::vector<std::string> names_of(const Listing& listing) {
  std::vector<std::string> names;
  for (const auto& [name, file] : listing.files) names.push_back(name);
  return names;
}

class Fetch {
 public:
  Fetch(const HubName& name, const HubSettings& settings, bool weights)
      : name_(name), settings_(settings), weights_(weights), cache_(settings.cache, name.id) {}

  fs::path run();

 private:
  std::string cached_commit() const;
  std::optional<Listing> list() const;
  void fetch(const Listing& listing) const;
  void fetch_files(const Listing& listing, const std::vector<std::string>& names,
                   Progress& progress, int64_t& done) const;
  std::set<std::string> shards_of(const Listing& listing, const std::string& index) const;
  bool has_all(const Listing& listing) const;
  void remember(const Listing& listing) const;

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
    const bool passing = is_passing(reply.status, reply.failure);
    const bool forbidden = reply.status == 401 || reply.status == 403;
    if ((passing || forbidden) && !cached_commit().empty()) return {};
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
    listing.files[name] = {.bytes = bytes_of(file), .digest = digest_of(file)};
  }
  return listing;
}

void Fetch::fetch_files(const Listing& listing, const std::vector<std::string>& names,
                        Progress& progress, int64_t& done) const {
  for (const std::string& name : names) {
    const fs::path to = cache_.snapshot(listing.commit) / name;
    const ListedFile& file = listing.files.at(name);
    if (!path_exists(to)) {
      const std::string url = fmt::format("{}/{}/resolve/{}/{}", settings_.endpoint, name_.id,
                                          listing.commit, url_encoded(name));
      const auto moved = [&](uint64_t bytes) {
        const int64_t now = done + static_cast<int64_t>(bytes);
        progress.update(now, name, human_bytes(static_cast<double>(now)));
      };
      const Download what{.url = url,
                          .to = to,
                          .size = file.bytes,
                          .blobs = settings_.links ? cache_.blobs() : fs::path(),
                          .digest = file.digest};
      download(what, settings_, moved);
    }
    done += static_cast<int64_t>(file_bytes(to));
  }
}

// Names of the index that lies in the snapshot; each is a file of the model.
std::set<std::string> Fetch::shards_of(const Listing& listing, const std::string& name) const {
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

bool Fetch::has_all(const Listing& listing) const {
  const fs::path folder = cache_.snapshot(listing.commit);
  std::vector<std::string> names = wanted_files(name_.id, names_of(listing), weights_);
  const auto there = [&](const std::string& name) { return path_exists(folder / name); };
  if (!std::ranges::all_of(names, there)) return false;
  return !names.back().ends_with(".index.json") ||
         std::ranges::all_of(shards_of(listing, names.back()), there);
}

// For the next time, without a network too. A cache of others that we may only read has the model all
// the same.
void Fetch::remember(const Listing& listing) const {
  try {
    cache_.set_commit(name_.revision, listing.commit);
    if (!cache_.is_complete(listing.commit, weights_)) {
      cache_.mark_complete(listing.commit, weights_);
    }
  } catch (const Error& error) {
    if (error.exit() != Exit::environment) throw;
  }
}

void Fetch::fetch(const Listing& listing) const {
  const std::vector<std::string> names = wanted_files(name_.id, names_of(listing), weights_);
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
  const std::optional<Listing> listing = list();
  if (!listing) {
    warn("{} cannot be reached, or does not let us; taking {}@{} from the cache as it was",
         settings_.endpoint, name_.id, name_.revision);
    return cache_.snapshot(cached);
  }
  if (!has_all(*listing)) {
    make_folder(cache_.lock().parent_path());
    const Lock lock(cache_.lock());
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
