// The question before a run: whether these models and data may make that model on this machine.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "alambic/provenance/license.h"
#include "alambic/provenance/machine.h"
#include "alambic/provenance/policy/policy_options.h"
#include "alambic/provenance/policy/rules.h"

namespace alambic {

/// Something that goes into a run.
struct Ingredient {
  enum class Role { student, teacher, data, served };
  Role role = Role::student;
  std::string name;  ///< as it was given, or its name of the hub
  LicenseFacts license;
  std::string host;                    ///< of an endpoint; "": local
  std::vector<std::string> inherited;  ///< licenses of what its record says it was made from
  Teaching form = Teaching::logits;    ///< of a teacher
};

/// The rules for these options. Refused (exit 4): a policy file that `policy_key` did not sign, or
/// that was altered after it was. Input errors: those of read_rules, a key that cannot be read.
PolicyRules rules_of(const PolicyOptions& options);

/// A local model: its license, and those that its record names.
Ingredient ingredient_of(Ingredient::Role role, const std::string& name, const fs::path& folder);

/// A rule that applied to an ingredient or to the machine.
struct PolicyFinding {
  std::string about;  ///< "teacher meta-llama/Llama-2-7b", "hardware"
  std::string rule;   ///< id; "license of NAME" where none is known
  Permit permit = Permit::ask;
  bool met = false;  ///< permitted, attested or overridden
  std::string says, source, as_of;
  std::string remedy;  ///< what would satisfy it
};

struct PolicyDecision {
  std::vector<PolicyFinding> findings;
  std::vector<std::string> obligations, warnings;
  nlohmann::json attested = nlohmann::json::array(), overrides = nlohmann::json::array();
  std::string rules_sha256;
  std::string rules_signer;  ///< of the policy file; "": nobody had to sign it

  bool permitted() const;
  nlohmann::json json() const;
};

/// What goes into a run and what comes out of it.
struct PolicyQuestion {
  std::vector<Ingredient> ingredients;
  std::string product;  ///< name of the model that is made
  GpuList gpus;
  bool uses_gpu = false;
};

/// The verdict of the strictest rule. `today` is a day as 2026-11-29: a rule whose day is more than
/// 180 days ago is a warning, one of more than 365 asks. Input errors: an attestation or an
/// override that is not ID=TEXT, one of a rule that does not apply, an attestation without a name.
PolicyDecision decide(const PolicyRules& rules, const PolicyQuestion& question,
                      const PolicyOptions& options, const std::string& today);

/// An error with exit code 4 that says each rule that is not met, its source and what would satisfy
/// it; nothing where all are.
void refuse_unless_permitted(const PolicyDecision& decision);

std::string today_utc();

}  // namespace alambic
