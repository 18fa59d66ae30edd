// Golden tensors that the reference libraries computed (tests/golden/README.md).
#pragma once

#include <filesystem>
#include <string>

#include "alambic/base/error.h"
#include "alambic/tensor/view.h"

namespace alambic {

inline std::filesystem::path golden_folder(const std::string& name) {
  return std::filesystem::path(ALAMBIC_SOURCE_DIR) / "tests/golden" / name;
}

/// A golden tensor in its own dtype.
inline Tensor golden(const std::filesystem::path& file, const std::string& name) {
  const SafetensorsFile tensors = SafetensorsFile::open(file);
  const TensorView* view = tensors.find(name);
  check(view != nullptr, "{} has no tensor {}", file.string(), name);
  return to_tensor(*view, scalar_type(*view), at::kCPU);
}

/// Largest absolute difference.
inline double distance(const Tensor& a, const Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

/// Largest absolute difference over the largest absolute value of `expected`.
inline double relative_distance(const Tensor& found, const Tensor& expected) {
  return distance(found, expected) / expected.to(at::kDouble).abs().max().item<double>();
}

}  // namespace alambic
