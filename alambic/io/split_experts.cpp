#include "alambic/io/split_experts.h"

#include <fmt/core.h>

namespace alambic {

std::vector<TensorView> split_experts(const TensorView& view) {
  const bool fused = view.name.ends_with(".experts.gate_up_proj");
  const bool stacked = fused || view.name.ends_with(".experts.down_proj");
  const std::vector<std::string> names = fused ? std::vector<std::string>{"gate_proj", "up_proj"}
                                               : std::vector<std::string>{"down_proj"};
  const auto matrices = static_cast<int64_t>(names.size());  // matrices of an expert
  if (!stacked || view.shape.size() != 3 || view.shape[0] < 1 || view.shape[1] % matrices != 0 ||
      !view.tiles.bytes.empty()) {
    return {};
  }
  const std::string block = view.name.substr(0, view.name.rfind('.'));
  const size_t size = view.bytes.size() / static_cast<size_t>(view.shape[0] * matrices);
  std::vector<TensorView> parts;
  for (int64_t e = 0; e < view.shape[0]; ++e) {
    for (const std::string& name : names) {
      parts.push_back({.name = fmt::format("{}.{}.{}.weight", block, e, name),
                       .dtype = view.dtype,
                       .shape = {view.shape[1] / matrices, view.shape[2]},
                       .bytes = view.bytes.subspan(parts.size() * size, size)});
    }
  }
  return parts;
}

}  // namespace alambic
