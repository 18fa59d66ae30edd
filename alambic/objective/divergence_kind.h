// List of the divergences, torch-free.
#pragma once

#include <string>
#include <vector>

namespace alambic {

enum class DivergenceKind {
#define ALAMBIC_DIVERGENCE(kind, type) kind,
#include "alambic/objective/divergences.def"
#undef ALAMBIC_DIVERGENCE
};

/// Parameter of a divergence, and the divergences that stand in at its ends 0 and 1, where kernels
/// would divide by 0. `head_share` is no option: each position has its own (divergences/akl.h).
struct DivergenceParameter {
  enum Source { none, beta, alpha, head_share } source = none;
  DivergenceKind at_zero = {}, at_one = {};
};

struct DivergenceInfo {
  DivergenceKind kind;
  std::string name;
  int temperature_power;  ///< k of the factor T^k of the value
  DivergenceParameter parameter;
};

/// All divergences, in the order of divergences.def.
const std::vector<DivergenceInfo>& divergence_infos();
const DivergenceInfo& info_of(DivergenceKind kind);

/// Distribution whose K most likely tokens a divergence over K tokens compares; both: up to 2K.
enum class TopKBy { teacher, student, both };

/// Term of a weighted sum, ready for the row kernels.
struct WeightedTerm {
  DivergenceKind kind;
  double parameter;     ///< beta or alpha, strictly between 0 and 1; unused by the others
  double value_weight;  ///< weight·T^power
  double pull_weight;   ///< weight·T^(power − 1): of the gradient with regard to logits
};

}  // namespace alambic
