#include "alambic/hub/hub_listing.h"

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/json_object.h"
#include "alambic/base/printable.h"
#include "alambic/base/progress.h"
#include "alambic/base/units.h"
#include "alambic/hub/http.h"
#include "alambic/hub/hub_download.h"

namespace alambic {

namespace {

// A name that a server may give a file: it stays within the folder, whatever the system.
void check_file_name(const std::string& model, const std::string& name) {
  const bool leaves = name.empty() || name.front() == '/' ||
                      name.find_first_of(std::string_view("\\:\0", 3)) != std::string::npos ||
                      ("/" + name + "/").find("/../") != std::string::npos;
  if (!leaves) return;
  throw environment_error("cannot fetch {}: the hub lists a file outside its folder, {}", model,
                          printable(name));
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

// The slashes of a file in a folder stay.
std::string encoded_path(const std::string& name) {
  std::string encoded;
  for (const fs::path& part : fs::path(name)) {
    encoded += (encoded.empty() ? "" : "/") + url_encoded(part.string());
  }
  return encoded;
}

}  // namespace

std::vector<std::string> HubListing::names() const {
  std::vector<std::string> all;
  for (const auto& [name, file] : files) all.push_back(name);
  return all;
}

std::optional<HubListing> list_hub_files(HubKind kind, const HubName& repository,
                                         const HubSettings& settings, bool has_other) {
  constexpr size_t max = 64 << 20;
  const std::string url = fmt::format("{}/api/{}/{}/revision/{}?blobs=true", settings.endpoint,
                                      kind == HubKind::model ? "models" : "datasets", repository.id,
                                      url_encoded(repository.revision));
  std::string text;
  const HttpReply reply = http_get({.url = url, .token = settings.token}, [&](long, auto piece) {
    if (text.size() + piece.size() > max) {
      throw environment_error("cannot read {}: it is longer than {} bytes", url, max);
    }
    text += piece;
  });
  if (reply.status < 200 || reply.status >= 300 || !reply.failure.empty()) {
    const bool passing = is_passing(reply.status, reply.failure);
    const bool forbidden = reply.status == 401 || reply.status == 403;
    if ((passing || forbidden) && has_other) return {};
    refuse_reply(fmt::format("fetch {} from {}", repository.id, settings.endpoint), reply.status,
                 reply.failure, settings);
  }
  const auto json = parse_json_object<nlohmann::json>(text, url);
  HubListing listing;
  if (json.contains("sha") && json["sha"].is_string()) listing.commit = json["sha"];
  const bool other = is_commit(repository.revision) && listing.commit != repository.revision;
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
    check_file_name(repository.id, name);
    listing.files[name] = {.bytes = bytes_of(file), .digest = digest_of(file)};
  }
  return listing;
}

void fetch_listed(HubKind kind, const HubName& repository, const HubSettings& settings,
                  const HubListing& listing, const std::vector<std::string>& names,
                  Progress& progress, int64_t& done) {
  const HubCache cache(settings.cache, repository.id, kind);
  for (const std::string& name : names) {
    const fs::path to = cache.snapshot(listing.commit) / name;
    const ListedFile& file = listing.files.at(name);
    if (!path_exists(to)) {
      const std::string url = fmt::format("{}/{}{}/resolve/{}/{}", settings.endpoint,
                                          kind == HubKind::model ? "" : "datasets/", repository.id,
                                          listing.commit, encoded_path(name));
      make_folder(to.parent_path());
      const auto moved = [&](uint64_t bytes) {
        const int64_t now = done + static_cast<int64_t>(bytes);
        progress.update(now, name, human_bytes(static_cast<double>(now)));
      };
      const Download what{.url = url,
                          .to = to,
                          .size = file.bytes,
                          .blobs = settings.links ? cache.blobs() : fs::path(),
                          .digest = file.digest};
      download(what, settings, moved);
    }
    done += static_cast<int64_t>(file_bytes(to));
  }
}

}  // namespace alambic
