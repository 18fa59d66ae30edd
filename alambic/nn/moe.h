// Routed experts: every token passes through the few gated MLPs that its router chooses (Shazeer et
// al., arXiv 1701.06538; Mixtral, 2401.04088).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "alambic/nn/expert_parallel.h"
#include "alambic/nn/mlp.h"
#include "alambic/nn/router_load.h"

namespace alambic {

enum class Scores {
  softmax,
  sigmoid,
  root_softplus  ///< √log(1 + eˣ) (DeepSeek-V4)
};

struct RouterOptions {
  int64_t experts = 0, top_k = 0;  ///< E, and k of each token
  bool norm_topk_prob = false;     ///< the k weights sum to one
  Scores scores = Scores::softmax;
  /// A vector is added to the scores that choose; the weights are without it (arXiv 2408.15664).
  bool has_correction_bias = false;
  /// Groups of experts, and how many best ones are chosen from (arXiv 2405.04434, section 2.2.2);
  /// a group counts as much as the sum of its `summed` best scores.
  int64_t groups = 1, topk_group = 1, summed = 1;
  double scaling = 1;   ///< factor of the weights
  bool biased = false;  ///< a bias before the softmax or sigmoid (gpt-oss)

  /// Share of the tokens that an expert gets where all are used alike.
  double share() const { return static_cast<double>(top_k) / static_cast<double>(experts); }
};

struct Router {
  RouterOptions options;
  Tensor weight_ED;
  Tensor bias_E;        ///< undefined: none
  Tensor correction_E;  ///< learns nothing; undefined: none
  /// Counts of the experts that passes with gradients choose, for each position; null: none.
  std::shared_ptr<RouterLoad> load;
  /// Ranks that have the experts, each its part; null: they are all here.
  std::shared_ptr<const ExpertRanks> ranks;

  struct Choice {
    Tensor weights_NK;  ///< float32 (float64 for float64 weights), differentiable
    Tensor experts_NK;  ///< int64
    std::shared_ptr<const ExpertRanks> ranks = nullptr;

    /// Number of the first expert whose matrices are here, of a block that has them in stacks.
    int64_t first_here(int64_t experts) const { return ranks ? ranks->first(experts) : 0; }
  };

  Router(int64_t width, const RouterOptions& options);
  /// Scores in float32, whatever the dtype of x and the weights. `given_NK`: experts (int64) that
  /// are chosen whatever their scores; undefined: the best are.
  Choice operator()(const Tensor& x_ND, const Pass& pass, const Tensor& given_NK = {}) const;
  /// The same with tensors of its own, which counts nothing. Its experts are those that are added
  /// up over the ranks that have these, or all here.
  Router copy() const;
};

/// `base_ND` and the chosen experts' outputs times their weights. `expert(e, x)` is called once for
/// each expert that got tokens, with all of them; of divided ones on the rank that has it
/// (nn/expert_parallel.h).
Tensor mix_experts(const Tensor& x_ND, const Router::Choice& choice, const RouterOptions& options,
                   const ExpertOfRows& expert, const Tensor& base_ND);

/// Whether an accelerator's kernels sort and combine the rows (kernels/device_moe.h).
bool sorts_by_kernel(const Tensor& x_ND, const Tensor& base_ND, const RouterOptions& options);

/// Names in the files of the block and of the matrices of an expert.
struct ExpertNames {
  std::string block = "mlp";
  MlpNames maps = {};
  std::string shared = "shared_experts";
  std::string correction = "e_score_correction_bias";
  std::string shared_gate = "";  ///< empty: the shared expert has none
};

struct Moe : FeedForward {
  ExpertNames names;
  Router router;
  std::vector<DenseMlp> experts;
  std::optional<DenseMlp> shared;  ///< one that sees every token
  /// Map to one number, whose sigmoid the shared expert's output is multiplied by (Qwen3.5);
  /// without weight: it is added as it is.
  Linear shared_gate;

  /// `expert` is the shape of each; `shared_inner` the inner width of the shared one, 0: none.
  Moe(const MlpShape& expert, const RouterOptions& options, const ExpertNames& names = {},
      int64_t shared_inner = 0);

  /// Runs the experts that got tokens, each once, on all of its tokens.
  Tensor forward(const Tensor& x_ND, const Pass& pass) const override;
  Tensor forward(const Tensor& x_ND, const Router::Choice& choice) const;
  void visit(const std::string& prefix, const TensorVisitor& visitor) override;
  /// Every rank has the router and some columns of every expert, or where they are divided already
  /// all of its own experts, which stay this block's.
  std::string undivided(int64_t ranks) const override;
  std::unique_ptr<FeedForward> part(const World& group) const override;
};

}  // namespace alambic
