#include "alambic/scale/scale_job.h"

#include <cmath>

namespace alambic {

// Of E experts a pass of b tokens, each to a share s of them, leaves (1 − s)^b unread.
double ModelSizes::read_by(double tokens) const {
  const double dense = in_layers() - experts + head;
  return dense + experts * (1 - std::pow(1 - expert_share, std::max(1.0, tokens)));
}

std::string name_of(TeacherWeights weights) {
  switch (weights) {
    case TeacherWeights::none:
      return "none";
    case TeacherWeights::resident:
      return "resident";
    case TeacherWeights::sharded:
      return "sharded";
    case TeacherWeights::host:
      return "host";
  }
  return "";
}

}  // namespace alambic
