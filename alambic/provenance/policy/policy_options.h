#pragma once

#include <string>
#include <vector>

#include "alambic/options/options.h"

namespace alambic {

/// What an operator says to the policy.
struct PolicyOptions {
  std::string policy, policy_key, attested_by;
  std::vector<std::string> attest, override_policy;

  void visit(OptionVisitor& v) {
    v.group("Policy");
    v.text("policy", policy,
           "TOML file with rules of one's own before the shipped ones, and the declared hardware "
           "(docs/provenance.md)")
        .path();
    v.text("policy-key", policy_key,
           "public key in PEM that must have signed that file: `alambic sign FILE --key …` writes "
           "FILE.sig")
        .path()
        .only_with("policy");
    v.list("attest", attest,
           "RULE=TEXT: the condition of this rule is met, for this reason; it is recorded")
        .only_with("attested-by");
    v.text("attested-by", attested_by, "who says so");
    v.list(
        "override-policy", override_policy,
        "RULE=REASON: go on against this rule; it is recorded, and `verify --policy` then fails");
  }
};

}  // namespace alambic
