#include "alambic/provenance/signed_manifest.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/json_fields.h"
#include "alambic/base/json_object.h"
#include "alambic/base/printable.h"
#include "alambic/base/sha256.h"
#include "alambic/provenance/canonical_json.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* statement_type = "https://in-toto.io/Statement/v1";
constexpr const char* predicate_type = "https://model_signing/signature/v1.0";
constexpr const char* first_predicate_type = "https://model_signing/Digests/v0.1";

std::vector<std::string> git_files() { return {".git", ".gitattributes", ".github", ".gitignore"}; }

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// Below the folder, whatever its parts are: "a/b", not "/a", "../a", "a//b" or "./a".
bool stays_below(const std::string& name) {
  if (name.empty() || name.front() == '/' || name.find('\0') != std::string::npos) return false;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

uint64_t parse_shard_size(const JsonFields& serialization) {
  const std::string method = serialization.text("method");
  if (method == "files") return 0;
  serialization.expect(method == "shards", "method", "\"files\" or \"shards\"");
  const double size = serialization.number("shard_size");
  serialization.expect(
      size >= 1 && size <= 1e15 && size == static_cast<double>(static_cast<uint64_t>(size)),
      "shard_size", "a number of bytes");
  return static_cast<uint64_t>(size);
}

std::string parse_root(const JsonFields& statement, SignedManifest& manifest) {
  const Json& subjects = statement.value("subject");
  statement.expect(subjects.is_array() && subjects.size() == 1, "subject", "a list of one");
  const JsonFields subject{subjects.front(), statement.where};
  manifest.model = subject.text("name", "");
  const std::string root = subject.object("digest").text("sha256");
  subject.expect(is_sha256(root), "digest", "SHA-256 in lower-case hexadecimal");
  return root;
}

// model-signing's name of the digest of a part tells its size.
std::string algorithm_of(const SignedManifest& manifest) {
  if (manifest.shard_size == 0) return "sha256";
  return fmt::format("sha256-sharded-{}", manifest.shard_size);
}

SignedResource parse_resource(const Json& json, const std::string& algorithm,
                              const std::string& where) {
  const JsonFields fields{json, where};
  SignedResource resource{fields.text("name"), fields.text("digest")};
  fields.expect(fields.text("algorithm") == algorithm, "algorithm",
                "\"" + algorithm + "\" (others are not supported)");
  fields.expect(is_sha256(resource.sha256), "digest", "SHA-256 in lower-case hexadecimal");
  return resource;
}

std::vector<std::string> digests_in(const SignedManifest& manifest) {
  std::vector<std::string> digests;
  for (const SignedResource& resource : manifest.resources) digests.push_back(resource.sha256);
  return digests;
}

void check_resources(const SignedManifest& manifest, const std::string& where) {
  std::set<std::string> names;
  for (const SignedResource& resource : manifest.resources) {
    const FilePart part = part_of(resource, manifest, where);
    const bool is_whole = manifest.resources.size() == 1 && part.name == single_file_resource;
    if (!is_whole && !stays_below(part.name)) {
      throw input_error("cannot read {}: the resource '{}' lies outside of the folder", where,
                        printable(resource.name));
    }
    if (!names.insert(resource.name).second) {
      throw input_error("cannot read {}: the resource '{}' stands twice", where,
                        printable(resource.name));
    }
  }
}

uint64_t parse_offset(std::string_view text) {
  uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
  return whole ? value : std::numeric_limits<uint64_t>::max();
}

// Of version 0.2, in which every file is a subject, and nothing names the folder.
SignedManifest parse_first_statement(const JsonFields& statement) {
  SignedManifest manifest{.ignored = git_files()};
  const Json& subjects = statement.value("subject");
  statement.expect(subjects.is_array() && !subjects.empty(), "subject", "a list of files");
  for (const Json& one : subjects) {
    const JsonFields subject{one, statement.where};
    const std::string digest = subject.object("digest").text("sha256");
    subject.expect(is_sha256(digest), "digest", "SHA-256 in lower-case hexadecimal");
    manifest.resources.push_back({subject.text("name"), digest});
  }
  check_resources(manifest, statement.where);
  std::ranges::sort(manifest.resources, path_comes_before, &SignedResource::name);
  manifest.root = root_of(digests_in(manifest));
  return manifest;
}

}  // namespace

SignedManifest manifest_of(const fs::path& folder, const std::vector<std::string>& ignored) {
  if (is_file(folder)) {
    const std::string digest = sha256_file(folder);
    return {.model = folder.filename().string(),
            .resources = {{single_file_resource, digest}},
            .root = root_of({digest})};
  }
  const FolderListing listing = list_files(folder, ignored);
  const std::vector<std::string>& links = listing.links.empty() ? listing.others : listing.links;
  if (!links.empty()) {
    throw input_error("cannot sign {}: {} is {}", folder.string(), printable(links.front()),
                      listing.links.empty() ? "no file that others could read" : "a link")
        .with_hint("sign a copy of the folder (cp -rL)");
  }
  if (listing.files.empty()) throw input_error("{} holds no files", folder.string());
  std::vector<FilePart> parts;
  for (const FolderFile& file : listing.files) parts.push_back({file.name, 0, file.bytes});
  const std::vector<std::string> digests = digests_of(folder, parts);
  SignedManifest manifest{.model = full_path(folder).filename().string(), .ignored = ignored};
  for (size_t i = 0; i < parts.size(); ++i) {
    manifest.resources.push_back({parts[i].name, digests[i]});
  }
  manifest.root = root_of(digests);
  return manifest;
}

std::string statement_text(const SignedManifest& manifest) {
  nlohmann::json resources = nlohmann::json::array();
  for (const SignedResource& resource : manifest.resources) {
    resources.push_back({{"name", resource.name},
                         {"algorithm", algorithm_of(manifest)},
                         {"digest", resource.sha256}});
  }
  nlohmann::json serialization = {{"method", manifest.shard_size == 0 ? "files" : "shards"},
                                  {"hash_type", "sha256"},
                                  {"allow_symlinks", manifest.follows_links}};
  if (manifest.shard_size > 0) serialization["shard_size"] = manifest.shard_size;
  if (!manifest.ignored.empty()) serialization["ignore_paths"] = manifest.ignored;
  return canonical_json(
      {{"_type", statement_type},
       {"subject", nlohmann::json::array(
                       {{{"name", manifest.model}, {"digest", {{"sha256", manifest.root}}}}})},
       {"predicateType", predicate_type},
       {"predicate", {{"serialization", serialization}, {"resources", resources}}}});
}

SignedManifest parse_statement(std::string_view text, const std::string& where) {
  const Json json = parse_json_object<Json>(text, where);
  const JsonFields statement{json, where};
  statement.expect(statement.text("_type") == statement_type, "_type", statement_type);
  const std::string predicate_is = statement.text("predicateType");
  if (predicate_is == first_predicate_type) return parse_first_statement(statement);
  statement.expect(predicate_is == predicate_type, "predicateType", predicate_type);
  SignedManifest manifest;
  const std::string root = parse_root(statement, manifest);
  const JsonFields predicate = statement.object("predicate");
  const JsonFields serialization = predicate.object("serialization");
  manifest.shard_size = parse_shard_size(serialization);
  manifest.follows_links = serialization.flag("allow_symlinks", false);
  // Versions that do not say what they left out left out Git's own files.
  manifest.ignored =
      serialization.has("ignore_paths") ? serialization.texts("ignore_paths") : git_files();
  const Json& resources = predicate.value("resources");
  predicate.expect(resources.is_array() && !resources.empty(), "resources", "a list of files");
  const std::string algorithm = algorithm_of(manifest);
  for (const Json& one : resources) {
    manifest.resources.push_back(parse_resource(one, algorithm, where));
  }
  check_resources(manifest, where);
  manifest.root = root_of(digests_in(manifest));
  if (manifest.root != root) {
    throw input_error("cannot read {}: its resources have the root {}, it says {}", where,
                      manifest.root, root);
  }
  return manifest;
}

FilePart part_of(const SignedResource& resource, const SignedManifest& manifest,
                 const std::string& where) {
  const std::string& name = resource.name;
  if (manifest.shard_size == 0) return {name, 0, std::numeric_limits<uint64_t>::max()};
  const size_t last = name.rfind(':');
  const size_t first = last == std::string::npos || last == 0 ? last : name.rfind(':', last - 1);
  FilePart part;
  if (first < last) {
    part = {name.substr(0, first), parse_offset(name.substr(first + 1, last - first - 1)),
            parse_offset(name.substr(last + 1))};
  }
  if (part.name.empty() || part.begin >= part.end || part.end > (uint64_t{1} << 62)) {
    throw input_error("cannot read {}: the resource '{}' should be NAME:BEGIN:END", where,
                      printable(name));
  }
  return part;
}

}  // namespace alambic
