#include "alambic/objective/device_row_kernels.h"

#include "alambic/base/log.h"

namespace alambic {

const DeviceRows* device_rows_of(const Tensor& logits_CV, const Tensor& others_CV) {
  const bool single =
      logits_CV.scalar_type() == at::kFloat && others_CV.scalar_type() == at::kFloat;
  const auto* kernels = single ? kernels::kernels_of(logits_CV, others_CV) : nullptr;
  if (kernels == nullptr) return nullptr;
  const auto* rows = static_cast<const DeviceRows*>(kernels->table->rows);
  if (rows != nullptr && rows->layout == device_rows_layout) return rows;
  static const bool told = [&] {
    warn("device {}: its kernels of losses are of another build; losses are libtorch's operators",
         logits_CV.device().str());
    return true;
  }();
  static_cast<void>(told);
  return nullptr;
}

}  // namespace alambic
