#pragma once

#include <map>
#include <string>
#include <vector>

#include "alambic/io/tensor_view.h"

namespace alambic {

/// The bytes of the file that write_safetensors (safetensors.h) would write.
std::string safetensors_bytes(const std::vector<TensorView>& tensors,
                              const std::map<std::string, std::string>& metadata);

}  // namespace alambic
