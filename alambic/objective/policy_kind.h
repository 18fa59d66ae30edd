// List of the objectives over drawn tokens, torch-free.
#pragma once

#include <string>
#include <vector>

namespace alambic {

enum class PolicyKind {
#define ALAMBIC_POLICY(kind, type) kind,
#include "alambic/objective/policies.def"
#undef ALAMBIC_POLICY
};

struct PolicyInfo {
  PolicyKind kind;
  std::string name;
  bool reads_teacher;     ///< needs DrawnTokens::teacher_logp_M
  int temperature_power;  ///< k of the factor T^k of the value
};

/// All objectives over drawn tokens, in the order of policies.def.
const std::vector<PolicyInfo>& policy_infos();
const PolicyInfo& info_of(PolicyKind kind);

}  // namespace alambic
