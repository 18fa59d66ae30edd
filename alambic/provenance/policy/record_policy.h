// The policy of a run that is over, as a receiver looks at it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "alambic/provenance/policy/rules.h"
#include "alambic/provenance/sign_folder.h"

namespace alambic {

/// What of a record's policy a strict receiver does not accept: a run that was not asked or was
/// refused, rules that were overridden, and rules of `rules` that speak of the record's models,
/// servers and parents and that the run was not asked by: its table was another or an older one.
/// `today` is a day as 2026-11-29.
std::vector<FolderFault> policy_faults(const nlohmann::json& record, const PolicyRules& rules,
                                       const std::string& today);

}  // namespace alambic
