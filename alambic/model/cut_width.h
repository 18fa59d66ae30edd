// Narrower models: the most important channels, MLP units and heads of a wider one.
#pragma once

#include <map>
#include <string>

#include "alambic/model/model.h"

namespace alambic {

/// Sizes of the narrower model; 0: as they are.
struct Widths {
  int64_t hidden = 0;
  int64_t inner = 0;  ///< width of the MLP
  int64_t heads = 0;  ///< query heads; those of keys and values follow, whole groups are kept
  bool any() const { return hidden > 0 || inner > 0 || heads > 0; }
};

/// Cuts the tensors of a decoder with Llama's names, and config with them. What is kept is what is
/// largest: a unit's score is Σ ‖its slice‖² / ‖tensor‖² over the tensors that have it, weight
/// magnitude (Han et al., arXiv 1506.02626) made structured as in LLM-Pruner's and Minitron's
/// baselines (arXiv 2305.11627, 2407.14679 §3). Channels of the residual stream are chosen once for
/// the model, MLP units and groups of heads in every layer for itself; their order is kept.
/// Heads keep their width. A size that is not smaller leaves its tensors as they are.
/// Input errors call the model `source`: a size that is larger, heads that are no whole groups, a
/// tensor for which there is no rule (experts, fused matrices, other names).
void cut_width(std::map<std::string, Tensor>& tensors, Json& config, const Widths& widths,
               const std::string& source);

}  // namespace alambic
