// Hidden states of the student beside the teacher's (FitNets: Romero et al., arXiv 1412.6550; with
// several layers, TinyBERT: Jiao et al., arXiv 1909.10351).
#pragma once

#include "alambic/flow/loss.h"
#include "alambic/objective/hidden_measure.h"

namespace alambic {

/// Σ over the M rows of the distance between s = hidden · projectionᵀ and the teacher's t, divided
/// by `normalizer` (the global number of graded tokens of the optimizer step):
///   mse:    |s − t|² / D of the teacher
///   cosine: 1 − s·t / (|s| |t|);  1 where a vector is zero
/// student_MD [M, Ds], projection_TS [Dt, Ds] (undefined: the identity), teacher_MD [M, Dt], any
/// floating dtypes; computed in float32, or float64 when the student's are. Differentiable in the
/// student and the projection. Reports the sum as "hidden_mse" or "hidden_cosine".
Loss hidden_distance(HiddenMeasure measure, const Tensor& student_MD, const Tensor& projection_TS,
                     const Tensor& teacher_MD, double normalizer);

}  // namespace alambic
