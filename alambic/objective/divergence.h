// Exact full-vocabulary divergences between teacher and student, from hidden states, in chunks.
#pragma once

#include <string>

#include "alambic/flow/judgement.h"
#include "alambic/flow/loss.h"

namespace alambic {

/// Generalised Jensen-Shannon divergence with the ends of GKD and TRL (Agarwal et al.,
/// arXiv 2306.13649, eq. 3): p teacher, q student, m = beta·p + (1 − beta)·q,
///   D = beta·KL(p‖m) + (1 − beta)·KL(q‖m);  beta = 0: KL(p‖q), forward;  beta = 1: KL(q‖p),
///   reverse.
/// With kd_temperature T both distributions are softmax(logits / T) and D is multiplied by T²
/// (Hinton et al., arXiv 1503.02531).
struct Divergence {
  double beta = 1;
  double kd_temperature = 1;
};

struct ChunkOptions {
  /// Graded positions whose logits exist at a time; 0: chosen from the vocabulary size so that the
  /// two buffers stay below about 64 MB on a CPU (docs/numerics.md).
  int64_t rows = 0;
};

/// Sum over the M graded positions of D, divided by `normalizer` (the global number of graded
/// tokens of the optimizer step, so that micro-batches, ranks and packing cannot change it).
/// Differentiable in `student_MD` and `student.weight_VD` (and bias); the gradient is made in the
/// same visit of a chunk, accumulated in float32, and [M, V] never exists.
/// Sums reported: "reverse_kl", "forward_kl" (at T = 1 as in the loss's T; both always),
/// "student_entropy", "teacher_entropy", "agreement" (same most likely token).
/// Vocabularies must agree: cut both heads to the tokenizer's size first (Head::cut).
Loss divergence_loss(const Divergence& divergence, const Tensor& student_MD, const Head& student,
                     const Judgement& judgement, double normalizer, const ChunkOptions& chunk = {});

/// The same sums without a gradient, for evaluation.
Loss measure_divergence(const Divergence& divergence, const Tensor& student_MD, const Head& student,
                        const Judgement& judgement, const ChunkOptions& chunk = {});

}  // namespace alambic
