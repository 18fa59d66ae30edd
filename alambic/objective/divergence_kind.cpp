#include "alambic/objective/divergence_kind.h"

#include "alambic/objective/divergences/all.h"

namespace alambic {

const std::vector<DivergenceInfo>& divergence_infos() {
  static const std::vector<DivergenceInfo> infos = {
#define ALAMBIC_DIVERGENCE(kind, type) \
  {DivergenceKind::kind, #kind, type::temperature_power, type::parameter},
#include "alambic/objective/divergences.def"
#undef ALAMBIC_DIVERGENCE
  };
  return infos;
}

const DivergenceInfo& info_of(DivergenceKind kind) {
  return divergence_infos().at(static_cast<size_t>(kind));
}

}  // namespace alambic
