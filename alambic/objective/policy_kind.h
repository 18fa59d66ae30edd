// Which objectives over drawn tokens there are, torch-free.
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
  int temperature_power;  ///< of T, by which the value is multiplied
};

/// In the order of policies.def.
const std::vector<PolicyInfo>& policy_infos();
const PolicyInfo& info_of(PolicyKind kind);

}  // namespace alambic
