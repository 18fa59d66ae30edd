#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/base/output_place.h"
#include "alambic/base/printable.h"
#include "alambic/cli/commands/verify_options.h"
#include "alambic/cli/run.h"
#include "alambic/provenance/policy/gate.h"
#include "alambic/provenance/policy/record_policy.h"
#include "alambic/provenance/record_lines.h"
#include "alambic/provenance/run_record.h"
#include "alambic/provenance/slsa.h"
#include "alambic/provenance/verify_page.h"

namespace alambic {
namespace {

std::time_t time_of(const std::string& day) {
  if (day.empty()) return std::time(nullptr);
  std::tm parts{};
  const char* end = ::strptime(day.c_str(), "%Y-%m-%d", &parts);
  if (end == nullptr || *end != '\0') {
    throw input_error("--valid-at: expected a day as 2026-11-24, found '{}'", day);
  }
  return ::timegm(&parts);
}

TrustedSigner trusted_of(const VerifyOptions& options) {
  if (!options.key.empty()) return {.key = read_public_key(options.key)};
  return {.key = nullptr,
          .roots = read_certificates(options.trust_root),
          .when = time_of(options.valid_at)};
}

// A folder that was looked at, or why it was not: nobody whom we trust signed it.
struct Outcome {
  std::optional<CheckedFolder> checked;
  std::optional<nlohmann::json> record;
  std::string refusal;

  bool good() const { return checked && checked->faults.empty(); }
};

nlohmann::ordered_json json_of(const Outcome& outcome) {
  nlohmann::ordered_json json = {{"verified", outcome.good()}};
  if (!outcome.checked) {
    json["refused"] = outcome.refusal;
    return json;
  }
  json["signer"] = outcome.checked->signer;
  json["root"] = outcome.checked->manifest.root;
  json["files"] = outcome.checked->manifest.resources.size();
  json["not_covered"] = outcome.checked->not_covered;
  if (outcome.record) json["record"] = *outcome.record;
  json["faults"] = nlohmann::ordered_json::array();
  for (const FolderFault& fault : outcome.checked->faults) {
    json["faults"].push_back(
        {{"kind", kind_name(fault.kind)}, {"where", fault.where}, {"what", fault.what}});
  }
  return json;
}

std::vector<std::pair<std::string, std::string>> lines_of(const Outcome& outcome) {
  const SignedManifest& manifest = outcome.checked->manifest;
  std::vector<std::pair<std::string, std::string>> lines = {
      {"signed by", outcome.checked->signer},
      {"root", manifest.root},
      {"files", std::to_string(manifest.resources.size())}};
  if (!outcome.record) return lines;
  for (auto& line : record_lines(*outcome.record)) lines.push_back(std::move(line));
  return lines;
}

void print_text(const Outcome& outcome, const std::string& folder) {
  const CheckedFolder& checked = *outcome.checked;
  for (const FolderFault& fault : checked.faults) {
    fmt::print("{}: {}: {}\n", kind_name(fault.kind), printable(fault.where),
               printable(fault.what));
  }
  for (const std::string& name : checked.not_covered) {
    fmt::print("note: {} is not covered by the signature\n", printable(name));
  }
  for (const auto& [name, text] : lines_of(outcome)) fmt::print("{:<10} {}\n", name, text);
  fmt::print("{}: {}\n", folder, checked.faults.empty() ? "verified" : "NOT what was signed");
}

// The record beside the signature; where there is none that is a fault.
void look_at_record(const VerifyOptions& options, Outcome& outcome) {
  std::vector<FolderFault>& faults = outcome.checked->faults;
  outcome.record = read_record(options.folder);
  if (outcome.record) {
    for (FolderFault& fault : record_faults(options.folder, *outcome.record)) {
      const auto same = [&](const FolderFault& known) { return known.where == fault.where; };
      if (std::ranges::none_of(faults, same)) faults.push_back(std::move(fault));
    }
    if (!options.policy) return;
    for (FolderFault& fault : policy_faults(*outcome.record, read_rules({}), today_utc())) {
      faults.push_back(std::move(fault));
    }
  } else if (!options.without_record || options.policy) {
    faults.push_back({FolderFault::Kind::record, record_name,
                      "is not there: nothing tells what made this model; --without-record accepts "
                      "that"});
  }
}

}  // namespace

int run(const VerifyOptions& options) {
  const TrustedSigner trusted = trusted_of(options);
  check_output_file("--html", options.html, /*overwrite=*/false);
  Outcome outcome;
  try {
    outcome.checked = check_folder(options.folder, trusted, options.signature);
    look_at_record(options, outcome);
    for (FolderFault& fault : slsa_faults(options.folder, trusted, outcome.checked->manifest)) {
      outcome.checked->faults.push_back(std::move(fault));
    }
  } catch (const Error& error) {
    if (error.exit() != Exit::refused || !options.json) throw;
    outcome.refusal = error.what();
  }
  if (!options.html.empty() && outcome.checked) {
    write_file(options.html,
               verify_page(options.folder, outcome.checked->faults, lines_of(outcome)));
  }
  if (options.json) {
    fmt::print("{}\n", json_of(outcome).dump(-1, ' ', false,
                                             nlohmann::ordered_json::error_handler_t::replace));
  } else {
    print_text(outcome, options.folder);
  }
  return static_cast<int>(outcome.good() ? Exit::done : Exit::refused);
}

}  // namespace alambic
