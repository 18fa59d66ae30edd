#include "alambic/tensor/decomposition.h"

#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/mm.h>

namespace alambic {

Tensor largest_singular_part(const Tensor& matrix, int64_t rank) {
  const auto [u, s, vt] = at::linalg_svd(matrix.to(at::kDouble), /*full_matrices=*/false);
  const Tensor part = at::mm(u.narrow(1, 0, rank) * s.narrow(0, 0, rank), vt.narrow(0, 0, rank));
  return part.to(at::kFloat);
}

Tensor first_columns_part(const Tensor& matrix, int64_t rank) {
  const auto [q, r] = at::linalg_qr(matrix.to(at::kDouble));
  return at::mm(q.narrow(1, 0, rank), r.narrow(0, 0, rank)).to(at::kFloat);
}

}  // namespace alambic
