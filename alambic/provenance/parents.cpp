#include "alambic/provenance/parents.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/sha256.h"
#include "alambic/provenance/run_record.h"

namespace alambic {
namespace {

using SortedJson = nlohmann::json;

// What a child needs to know of a model of its parent's record.
SortedJson short_facts(const SortedJson& model) {
  SortedJson facts = SortedJson::object();
  if (!model.is_object()) return facts;
  for (const char* field : {"name", "root", "license"}) {
    if (model.contains(field)) facts[field] = model[field];
  }
  return facts;
}

bool has_record(const fs::path& model) { return is_folder(model) && is_file(model / record_name); }

SortedJson parent_of(const fs::path& model) {
  SortedJson parent = {{"sha256", sha256_file(model / record_name)},
                       {"name", full_path(model).filename().string()},
                       {"verified", false},
                       {"why", "no key to verify it by was given (--parent-key)"}};
  const std::optional<SortedJson> record = read_record(model);
  parent["student"] = short_facts(record->at("student"));
  parent["teachers"] = SortedJson::array();
  for (const SortedJson& teacher : record->at("teachers")) {
    parent["teachers"].push_back(short_facts(teacher));
  }
  parent["parents"] = record->at("parents");
  return parent;
}

void set_unverified(SortedJson& parent, const std::string& why) {
  parent["verified"] = false;
  parent["why"] = why;
  parent.erase("signer");
  for (SortedJson& one : parent["parents"]) {
    if (one.is_object()) set_unverified(one, "the record that tells of it is not verified");
  }
}

// Why a checked folder does not vouch for its record; "" where it does.
std::string objection_to(const CheckedFolder& checked) {
  if (!checked.faults.empty()) {
    const FolderFault& fault = checked.faults.front();
    return fmt::format("it is not what was signed: {} {}", fault.where, fault.what);
  }
  const auto is_record = [](const SignedResource& one) {
    return one.name == record_name || one.name.starts_with(std::string(record_name) + ":0:");
  };
  return std::ranges::any_of(checked.manifest.resources, is_record)
             ? ""
             : "its signature does not cover its record";
}

void verify(SortedJson& parent, const fs::path& model, const std::vector<TrustedSigner>& trusted,
            DigestMemo& memo) {
  std::string why = parent["why"];
  for (const TrustedSigner& signer : trusted) {
    try {
      const CheckedFolder checked = check_folder(model, signer, {}, &memo);
      why = objection_to(checked);
      if (!why.empty()) continue;
      parent["verified"] = true;
      parent["signer"] = checked.signer;
      parent["root"] = checked.manifest.root;
      parent.erase("why");
      return;
    } catch (const Error& error) {
      why = is_file(model / signature_name) ? error.what() : "it is not signed";
    }
  }
  set_unverified(parent, why);
}

void walk(const SortedJson& parents, int generation,
          const std::function<void(const SortedJson&, int)>& see) {
  for (const SortedJson& parent : parents) {
    see(parent, generation);
    if (parent.is_object() && parent.contains("parents"))
      walk(parent["parents"], generation + 1, see);
  }
}

}  // namespace

SortedJson parents_of(const std::vector<fs::path>& models) {
  SortedJson parents = SortedJson::array();
  for (const fs::path& model : models) {
    if (!has_record(model)) continue;
    parents.push_back(parent_of(model));
    set_unverified(parents.back(), parents.back()["why"]);
  }
  return parents;
}

SortedJson verified_parents_of(const std::vector<fs::path>& models,
                               const std::vector<TrustedSigner>& trusted, DigestMemo& memo) {
  SortedJson parents = SortedJson::array();
  for (const fs::path& model : models) {
    if (!has_record(model)) continue;
    parents.push_back(parent_of(model));
    verify(parents.back(), model, trusted, memo);
  }
  return parents;
}

void for_each_parent(const SortedJson& record,
                     const std::function<void(const SortedJson&, int)>& see) {
  walk(record.at("parents"), 1, see);
}

}  // namespace alambic
