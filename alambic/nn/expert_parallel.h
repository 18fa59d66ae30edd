// Routed experts that are divided between ranks, to which the tokens travel (GShard, Lepikhin et
// al., arXiv 2006.16668; Megatron-LM's expert parallelism): of E experts rank r of N has those from
// r · E/N on. A token is sent once to each rank that has some of the experts that it chose, with
// their weights, and what those make of it comes back added up (DeepEP's dispatch and combine).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "alambic/dist/world.h"
#include "alambic/nn/slices.h"

namespace alambic {

/// Messages between the ranks of a group, by what World::received names them. Of a rank that has T
/// tokens in a pass each layer sends, and gets back, a row of D numbers for each token and each
/// other rank that has experts of it, (N − 1) · (1 − (1 − 1/N)^k) of them for each token where k
/// experts are chosen by chance, and sends E/N weights (float32) with each. A backward pass does
/// the same with the gradients.
inline constexpr const char* counting_rows = "counting tokens of experts";
inline constexpr const char* sending_rows = "sending tokens to experts";
inline constexpr const char* sending_weights = "sending tokens' weights to experts";
inline constexpr const char* returning_rows = "returning tokens from experts";

/// How a router's experts are divided.
struct ExpertRanks {
  enum class Way {
    here,      ///< this rank has all of them for now
    exchange,  ///< tokens travel
    added_up   ///< all ranks have the same rows, and add up what their own experts make of them
  };
  std::shared_ptr<const World> world;
  Way way = Way::exchange;

  /// Of so many experts those of this rank.
  Slice own(int64_t experts) const {
    const int64_t each = experts / world->size();
    return {world->rank() * each, each};
  }
  /// Number of the first expert that is here.
  int64_t first(int64_t experts) const { return way == Way::here ? 0 : own(experts).begin; }
};

/// What expert e makes of rows [P, D], which are of the same shape.
using ExpertOfRows = std::function<Tensor(int64_t e, const Tensor& x_PD)>;

/// What the experts make of their rows: `counts` of each, in the order of the experts.
Tensor by_experts(const Tensor& x_PD, const std::vector<int64_t>& counts,
                  const ExpertOfRows& expert);

/// The same, where all ranks have these rows (Way::added_up) or this one has all experts: `expert`
/// is called for those that are here, and the others make zeros.
Tensor by_experts_here(const ExpertRanks& ranks, const Tensor& x_PD,
                       const std::vector<int64_t>& counts, const ExpertOfRows& expert);

/// Sum of what each token's experts make of it, times their weights, in the dtype of x: the experts
/// of one rank are added up there, then the ranks' sums in their order. `expert` is called for this
/// rank's experts alone, with the rows of all ranks, those of rank 0 first. All ranks call it, as
/// often; each also takes part in the others' backward passes.
Tensor mixed_by_ranks(const ExpertRanks& ranks, const Tensor& x_ND, const Tensor& weights_NK,
                      const Tensor& experts_NK, int64_t experts, const ExpertOfRows& expert);

}  // namespace alambic
