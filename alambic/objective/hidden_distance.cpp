#include "alambic/objective/hidden_distance.h"

#include <cmath>

#include "alambic/base/error.h"
#include "alambic/kernels/linear.h"
#include "alambic/objective/head_chunks.h"

namespace alambic {
namespace {

Tensor mse_M(const Tensor& s_MD, const Tensor& t_MD) { return (s_MD - t_MD).square().mean(-1); }

// Beside this a length counts as zero: the angle of nothing is none, and has no gradient.
constexpr double kNoLength = 1e-12;

Tensor cosine_M(const Tensor& s_MD, const Tensor& t_MD) {
  const auto length_M = [](const Tensor& x_MD) {
    return x_MD.square().sum(-1).clamp_min(kNoLength * kNoLength).sqrt();
  };
  return 1 - (s_MD * t_MD).sum(-1) / (length_M(s_MD) * length_M(t_MD));
}

}  // namespace

Loss hidden_distance(HiddenMeasure measure, const Tensor& student_MD, const Tensor& projection_TS,
                     const Tensor& teacher_MD, double normalizer) {
  check(normalizer > 0 && std::isfinite(normalizer), "normalizer {}", normalizer);
  const at::ScalarType dtype = working_dtype(student_MD);
  Tensor s_MD = student_MD.to(dtype);
  if (projection_TS.defined()) s_MD = kernels::linear(s_MD, projection_TS.to(dtype), Tensor());
  const Tensor t_MD = teacher_MD.detach().to(dtype);
  check(s_MD.sizes() == t_MD.sizes(), "{} numbers of the student, {} of the teacher", s_MD.numel(),
        t_MD.numel());
  const bool mse = measure == HiddenMeasure::mse;
  const Tensor sum = (mse ? mse_M(s_MD, t_MD) : cosine_M(s_MD, t_MD)).sum();
  return {.value = sum / normalizer,
          .sums = {{mse ? "hidden_mse" : "hidden_cosine", sum.item<double>()}}};
}

}  // namespace alambic
