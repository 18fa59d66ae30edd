#include "alambic/objective/policy_kind.h"

#include "alambic/objective/policies/all.h"

namespace alambic {

const std::vector<PolicyInfo>& policy_infos() {
  static const std::vector<PolicyInfo> infos = {
#define ALAMBIC_POLICY(kind, type) \
  {PolicyKind::kind, #kind, type::reads_teacher, type::temperature_power},
#include "alambic/objective/policies.def"
#undef ALAMBIC_POLICY
  };
  return infos;
}

const PolicyInfo& info_of(PolicyKind kind) { return policy_infos().at(static_cast<size_t>(kind)); }

}  // namespace alambic
