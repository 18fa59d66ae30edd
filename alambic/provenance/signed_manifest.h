// What OpenSSF Model Signing v1 signs of a folder: an in-toto statement with the digest of every
// file, and a root over them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "alambic/provenance/folder_digests.h"

namespace alambic {

/// A file, or with a shard size a part of one ("name:begin:end"), and its SHA-256.
struct SignedResource {
  std::string name, sha256;
};

/// Name of the only resource where a single file is signed.
inline constexpr const char* single_file_resource = ".";

struct SignedManifest {
  std::string model;        ///< last part of the folder's path when it was signed; says nothing
  uint64_t shard_size = 0;  ///< bytes of the parts that files are hashed in; 0: whole files
  bool follows_links = false;
  std::vector<std::string> ignored;  ///< names that are not covered
  std::vector<SignedResource> resources;
  std::string root;  ///< SHA-256 over the digests of the resources in their order
};

/// The folder, or the single file, as it is now. Input errors: a link, a pipe or a device in it, a
/// name that is not UTF-8, no file at all.
SignedManifest manifest_of(const fs::path& folder, const std::vector<std::string>& ignored);

/// The statement's canonical JSON.
std::string statement_text(const SignedManifest& manifest);

/// The manifest that a statement holds. Input errors: another type or predicate, a name twice or
/// one that leaves the folder ("../a"), a digest that is not SHA-256, a root that is not that of
/// the resources.
SignedManifest parse_statement(std::string_view text, const std::string& where);

/// The part of a file that a resource names. Input errors: no "name:begin:end" in a manifest with
/// shards.
FilePart part_of(const SignedResource& resource, const SignedManifest& manifest,
                 const std::string& where);

}  // namespace alambic
