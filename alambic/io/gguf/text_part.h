// The part of a folder that becomes GGUF's text model: the text part of a model that also sees or
// hears, and experts one by one.
#pragma once

#include "alambic/io/gguf/architecture.h"
#include "alambic/io/tensor_view.h"

namespace alambic {

/// The tensors that `family` has rows for, or that are an error, under the names of the text model.
/// Left out: what sees, what hears and layers for multi-token prediction. Stacked experts become
/// views of each one's matrices where the family has them so.
std::vector<TensorView> text_tensors(const GgufArchitecture& family,
                                     const std::vector<TensorView>& tensors);

}  // namespace alambic
