#include "alambic/provenance/sign_folder.h"

#include <algorithm>
#include <map>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/sha256.h"

namespace alambic {
namespace {

using Kind = FolderFault::Kind;

constexpr uint64_t largest_bundle = 64 << 20;

// Names of `path` below `folder`; empty where it lies elsewhere.
std::string name_below(const fs::path& path, const fs::path& folder) {
  const std::string name = full_path(path).lexically_relative(full_path(folder)).string();
  return name.starts_with("..") ? "" : name;
}

std::vector<std::string> ignored_by(const fs::path& folder, const fs::path& signature) {
  std::vector<std::string> ignored = {".git",       ".gitattributes", ".github",
                                      ".gitignore", signature_name,   slsa_name};
  const std::string own = name_below(signature, folder);
  if (!own.empty() && std::ranges::find(ignored, own) == ignored.end()) ignored.push_back(own);
  return ignored;
}

// The parts that the manifest's method makes of the files that are there.
std::vector<FilePart> parts_of(const FolderListing& listing, uint64_t shard_size) {
  std::vector<FilePart> parts;
  for (const FolderFile& file : listing.files) {
    if (shard_size == 0) parts.push_back({file.name, 0, file.bytes});
    if (shard_size == 0) continue;
    for (uint64_t begin = 0; begin < file.bytes; begin += shard_size) {
      parts.push_back({file.name, begin, std::min(begin + shard_size, file.bytes)});
    }
  }
  return parts;
}

std::string resource_name(const FilePart& part, uint64_t shard_size) {
  return shard_size == 0 ? part.name : fmt::format("{}:{}:{}", part.name, part.begin, part.end);
}

using Digests = std::map<std::string, std::string>;  // by resource

// A missing file whose bytes are those of an added one has been renamed.
void name_renamed(std::vector<FolderFault>& faults, const Digests& expected, const Digests& found) {
  for (FolderFault& missing : faults) {
    if (missing.kind != Kind::missing) continue;
    const auto same = std::ranges::find_if(faults, [&](const FolderFault& added) {
      return added.kind == Kind::added && found.contains(added.where) &&
             found.at(added.where) == expected.at(missing.where);
    });
    if (same == faults.end()) continue;
    missing.kind = Kind::renamed;
    missing.what = "is now called " + same->where;
    faults.erase(same);
    return name_renamed(faults, expected, found);
  }
}

std::vector<FolderFault> differences(const Digests& expected, const Digests& found) {
  std::vector<FolderFault> faults;
  for (const auto& [name, digest] : expected) {
    const auto there = found.find(name);
    if (there == found.end()) {
      faults.push_back({Kind::missing, name, "was signed and is not there"});
    } else if (there->second != digest) {
      faults.push_back({Kind::altered, name,
                        fmt::format("is not what was signed: its SHA-256 is {}…, signed was {}…",
                                    there->second.substr(0, 12), digest.substr(0, 12))});
    }
  }
  for (const auto& [name, digest] : found) {
    if (!expected.contains(name))
      faults.push_back({Kind::added, name, "is there and was not signed"});
  }
  name_renamed(faults, expected, found);
  return faults;
}

}  // namespace

fs::path signature_of(const fs::path& folder) {
  return is_file(folder) ? fs::path(folder.string() + ".sig") : folder / signature_name;
}

SignedManifest sign_folder(const fs::path& folder, const BundleSigner& signer, fs::path signature) {
  if (signature.empty()) signature = signature_of(folder);
  const SignedManifest manifest = manifest_of(folder, ignored_by(folder, signature));
  write_file(signature, bundle_text(sign_statement(signer, statement_text(manifest))));
  return manifest;
}

std::string kind_name(Kind kind) {
  switch (kind) {
    case Kind::altered:
      return "altered";
    case Kind::missing:
      return "missing";
    case Kind::added:
      return "added";
    case Kind::renamed:
      return "renamed";
    case Kind::link:
      return "link";
    case Kind::other:
      return "other";
    case Kind::chain:
      return "chain";
    case Kind::record:
      return "record";
    case Kind::policy:
      return "policy";
  }
  throw bug("a fault of no kind");
}

CheckedFolder check_folder(const fs::path& folder, const TrustedSigner& trusted, fs::path signature,
                           DigestMemo* memo) {
  if (signature.empty()) signature = signature_of(folder);
  if (!path_exists(folder)) throw input_error("{} is not a folder", folder.string());
  if (!is_file(signature)) {
    throw Error(
        Exit::refused,
        fmt::format("{} is not signed: there is no {}", folder.string(), signature.string()),
        "ask its maker for the signature; without one nobody vouches for the model");
  }
  const std::string where = signature.string();
  const SignatureBundle bundle = parse_bundle(read_file(signature, largest_bundle), where);
  CheckedFolder checked{.signer = check_signer(bundle, trusted, where),
                        .manifest = parse_statement(bundle.payload, where)};
  const SignedManifest& manifest = checked.manifest;
  if (is_file(folder)) {
    const Digests expected = {{manifest.resources.front().name, manifest.resources.front().sha256}};
    checked.faults = differences(expected, {{single_file_resource, sha256_file(folder)}});
    return checked;
  }
  std::vector<std::string> ignored = manifest.ignored;
  const std::string own = name_below(signature, folder);
  if (!own.empty()) ignored.push_back(own);
  const FolderListing listing = list_files(folder, ignored, manifest.follows_links);
  std::ranges::copy_if(listing.ignored, std::back_inserter(checked.not_covered),
                       [&](const std::string& name) { return name != own && name != slsa_name; });
  const std::vector<FilePart> parts = parts_of(listing, manifest.shard_size);
  const std::vector<std::string> digests =
      memo == nullptr ? digests_of(folder, parts) : memo->digests_of(folder, parts);
  Digests expected, found;
  for (const SignedResource& one : manifest.resources) expected[one.name] = one.sha256;
  for (size_t i = 0; i < parts.size(); ++i) {
    found[resource_name(parts[i], manifest.shard_size)] = digests[i];
  }
  checked.faults = differences(expected, found);
  for (const std::string& name : listing.links) {
    checked.faults.push_back({Kind::link, name, "is a link, which was not signed"});
  }
  for (const std::string& name : listing.others) {
    checked.faults.push_back({Kind::other, name, "is no file, or has a name that is no text"});
  }
  return checked;
}

}  // namespace alambic
