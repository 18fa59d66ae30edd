#include "alambic/provenance/slsa.h"

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/json_fields.h"
#include "alambic/base/json_object.h"
#include "alambic/provenance/canonical_json.h"

namespace alambic {
namespace {

using SortedJson = nlohmann::json;

constexpr const char* slsa_predicate = "https://slsa.dev/provenance/v1";
// Names, not addresses: docs/provenance.md says what they stand for.
constexpr const char* build_type = "urn:alambic:run:v1";
constexpr const char* builder = "urn:alambic:program";

void add_dependency(SortedJson& list, const std::string& name, const SortedJson& digest) {
  SortedJson one = {{"name", name}};
  if (digest.is_string()) one["digest"] = {{"sha256", digest}};
  if (!digest.is_string()) one["uri"] = "unknown:" + name;  // one of digest, uri must be there
  list.push_back(std::move(one));
}

SortedJson dependencies_of(const SortedJson& record) {
  SortedJson list = SortedJson::array();
  add_dependency(list, "student", record.at("student").at("root"));
  for (const SortedJson& teacher : record.at("teachers")) {
    add_dependency(list, "teacher " + teacher.at("name").get<std::string>(), teacher.at("root"));
  }
  for (const SortedJson& data : record.at("data")) {
    add_dependency(list, "data " + data.at("name").get<std::string>(), data.at("sha256"));
  }
  const SortedJson& files = record.at("tool").at("files");
  for (const SortedJson& file : files.is_array() ? files : SortedJson::array()) {
    add_dependency(list, "tool " + file.at("name").get<std::string>(), file.at("sha256"));
  }
  return list;
}

SortedJson predicate_of(const SortedJson& record) {
  const SortedJson& clock = record.at("clock");
  return {
      {"buildDefinition",
       {{"buildType", build_type},
        {"externalParameters", record.at("command")},
        {"internalParameters",
         {{"seed", record.at("seed")}, {"precision", record.at("precision")}}},
        {"resolvedDependencies", dependencies_of(record)}}},
      {"runDetails",
       {{"builder", {{"id", builder}, {"version", {{"alambic", record.at("tool").at("version")}}}}},
        {"metadata", {{"startedOn", clock.at("started")}, {"finishedOn", clock.at("updated")}}}}}};
}

}  // namespace

std::string slsa_statement(const SignedManifest& manifest, const SortedJson& record) {
  try {
    SortedJson subject = {{"name", manifest.model}, {"digest", {{"sha256", manifest.root}}}};
    SortedJson statement = {{"_type", "https://in-toto.io/Statement/v1"},
                            {"predicateType", slsa_predicate},
                            {"predicate", predicate_of(record)}};
    statement["subject"] = SortedJson::array();
    statement["subject"].push_back(std::move(subject));
    return canonical_json(statement);
  } catch (const SortedJson::exception&) {
    throw input_error("the record lacks a field, or has one of another type");
  }
}

void write_slsa(const fs::path& folder, const BundleSigner& signer, const SignedManifest& manifest,
                const SortedJson& record) {
  write_file(folder / slsa_name,
             bundle_text(sign_statement(signer, slsa_statement(manifest, record))));
}

std::vector<FolderFault> slsa_faults(const fs::path& folder, const TrustedSigner& trusted,
                                     const SignedManifest& manifest) {
  const fs::path file = folder / slsa_name;
  if (!is_file(file)) return {};
  const auto fault = [](const std::string& what) {
    return std::vector<FolderFault>{{FolderFault::Kind::record, slsa_name, what}};
  };
  const SignatureBundle bundle = parse_bundle(read_file(file, 64 << 20), file.string());
  try {
    check_signer(bundle, trusted, slsa_name);
  } catch (const Error& error) {
    if (error.exit() != Exit::refused) throw;
    return fault(error.what());
  }
  const auto json = parse_json_object<nlohmann::ordered_json>(bundle.payload, file.string());
  const JsonFields statement{json, file.string()};
  statement.expect(statement.text("predicateType") == slsa_predicate, "predicateType",
                   slsa_predicate);
  const auto& subjects = statement.value("subject");
  statement.expect(subjects.is_array() && subjects.size() == 1, "subject", "a list of one");
  const JsonFields subject{subjects.front(), file.string()};
  if (subject.object("digest").text("sha256") == manifest.root) return {};
  return fault("is about another folder: its root is another one");
}

}  // namespace alambic
