// Tensors of one format written in another.
#pragma once

#include "alambic/io/tensor_source.h"

namespace alambic {

/// Format of the largest tensor, which stands for the model's; FP8 and MXFP4 with scales are
/// written as BF16. F32 where there are no tensors.
Dtype main_dtype(const std::vector<TensorView>& tensors);

/// The tensor's numbers as `dtype` (F32, F16 or BF16), multiplied out where it has scales, made
/// when they are written. Formats that are no numbers (is_decodable) stay as they are. An input
/// error, before anything is written, that names `model` and the tensor whose numbers F16 cannot
/// hold.
TensorSource cast_tensor(const TensorView& tensor, Dtype dtype, const std::string& model);

}  // namespace alambic
