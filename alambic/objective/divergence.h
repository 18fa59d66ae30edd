// Exact full-vocabulary divergences between teacher and student, from hidden states, in chunks; and
// their form over K + 1 buckets where only K tokens of the teacher are known.
#pragma once

#include <string>
#include <vector>

#include "alambic/flow/loss.h"
#include "alambic/flow/teacher_output.h"
#include "alambic/objective/divergence_kind.h"

namespace alambic {

struct DivergenceTerm {
  DivergenceKind kind = DivergenceKind::reverse_kl;
  double parameter = 0;  ///< beta of jsd, alpha of the skew KLs; the others have none
  double weight = 1;
};

/// Σ weight·T^k·D over `terms`; D is what divergences/*.h define, k = 2 (TVD: 1), and both
/// distributions are softmax(logits / T), T = kd_temperature (Hinton et al., arXiv 1503.02531).
struct Divergence {
  std::vector<DivergenceTerm> terms = {{}};
  double kd_temperature = 1;
  /// 0: over the whole vocabulary. K: D of the distributions over K tokens and one bucket for all
  /// others, a lower bound of the full D that is 0, with its gradient, where the models agree.
  int64_t topk = 0;
  TopKBy topk_by = TopKBy::teacher;  ///< distribution that names the K tokens; both: up to 2K
};

/// Generalized Jensen-Shannon divergence with the ends of GKD and TRL (Agarwal et al.,
/// arXiv 2306.13649, eq. 3): p teacher, q student, m = beta·p + (1 − beta)·q,
///   D = beta·KL(p‖m) + (1 − beta)·KL(q‖m);  beta = 0: KL(p‖q), forward;  beta = 1: KL(q‖p),
///   reverse. `normalize`: divided by beta·(1 − beta) between the ends, which makes D continuous
/// there and gives every beta the gradient's size of a KL.
Divergence generalized_jsd(double beta, double kd_temperature = 1, bool normalize = false);

struct ChunkOptions {
  /// Graded positions whose logits exist at a time; 0: chosen from the vocabulary size so that the
  /// two buffers stay below about 64 MB or have 128 rows (docs/numerics.md).
  int64_t rows = 0;
};

/// Sum over the M graded positions, divided by `normalizer` (the global number of graded tokens of
/// the optimizer step, so that micro-batches, ranks and packing cannot change it).
/// Differentiable in `student_MD` and `student.weight_VD` (and bias); the gradient is made in the
/// same visit of a chunk, accumulated in float32, and [M, V] never exists.
/// Sums reported: "reverse_kl", "forward_kl" (at the loss's T, without T²; both always),
/// "student_entropy", "teacher_entropy", "agreement" (same most likely token); over buckets
/// "topk_reverse_kl", "topk_forward_kl" and both models' "…_topk_mass" instead.
/// Vocabularies must agree: cut both heads to the tokenizer's size first (Head::cut).
/// A teacher's TopK must be at kd_temperature; with it, `topk` 0 means all K of them. TokenLogp is
/// an input error. Beside
/// AlignedStates the sum is over spans (span_divergence.h) or pieces (piece_divergence.h; `topk` is
/// then 0 or the K of its topk), of the graded tokens `token_M`, which nothing else reads.
Loss divergence_loss(const Divergence& divergence, const Tensor& student_MD, const Head& student,
                     const TeacherOutput& teacher_output, double normalizer,
                     const ChunkOptions& chunk = {}, const Tensor& token_M = {});

/// The same sums without a gradient, for evaluation.
Loss measure_divergence(const Divergence& divergence, const Tensor& student_MD, const Head& student,
                        const TeacherOutput& teacher_output, const ChunkOptions& chunk = {},
                        const Tensor& token_M = {});

}  // namespace alambic
