#include "alambic/nn/joint_linear.h"

#include <algorithm>

#include "alambic/kernels/device_packed.h"
#include "alambic/kernels/weight_linear.h"

namespace alambic {

namespace {

bool is_plain(const Linear& map) {
  return map.layout == WeightLayout::output_major && map.weight.defined() && !map.lora;
}

// The tensors as one where each begins behind the one before; undefined where they do not.
Tensor joined(const std::vector<Tensor>& parts) {
  const Tensor& first = parts.front();
  const auto* end = static_cast<const char*>(first.const_data_ptr());
  int64_t rows = 0;
  for (const Tensor& part : parts) {
    const bool follows = part.const_data_ptr() == end && part.is_contiguous() &&
                         part.scalar_type() == first.scalar_type() &&
                         part.sizes().slice(1) == first.sizes().slice(1) && part.is_alias_of(first);
    if (!follows) return {};
    end += part.nbytes();
    rows += part.size(0);
  }
  std::vector<int64_t> sizes = first.sizes().vec();
  sizes[0] = rows;
  return first.detach().as_strided(sizes, first.strides());
}

// The same of packed ones, which are parts of one matrix (kernels::on_device::side_by_side).
Weight joined(const std::vector<const PackedMatrix*>& parts) {
  const PackedMatrix& first = *parts.front();
  int64_t rows = 0;
  for (const PackedMatrix* part : parts) {
    const bool follows = part->on_device && part->on_device == first.on_device &&
                         part->first_row == first.first_row + rows;
    if (!follows) return {};
    rows += part->rows;
  }
  PackedMatrix whole = first;
  whole.rows = rows;
  return Weight(std::move(whole));
}

// Weights and biases of the maps, each joined; no weights: they do not lie so.
struct Joint {
  Weight weight_ED;
  Tensor bias_E;
};

Joint joint_of(const std::vector<const Linear*>& maps) {
  std::vector<Tensor> weights, biases;
  std::vector<const PackedMatrix*> packed;
  for (const Linear* map : maps) {
    if (!is_plain(*map) || map->bias.defined() != maps.front()->bias.defined()) return {};
    if (map->weight.is_packed()) {
      packed.push_back(&map->weight.packed());
    } else {
      weights.push_back(map->weight.dense());
    }
    if (map->bias.defined()) biases.push_back(map->bias);
  }
  if (!weights.empty() && !packed.empty()) return {};
  const Joint joint{packed.empty() ? Weight(joined(weights)) : joined(packed),
                    biases.empty() ? Tensor() : joined(biases)};
  return biases.empty() || joint.bias_E.defined() ? joint : Joint{};
}

void move_together(std::vector<Tensor> parts) {
  const Tensor& first = parts.front();
  const bool alike = std::ranges::all_of(parts, [&](const Tensor& part) {
    return part.scalar_type() == first.scalar_type() && part.device() == first.device() &&
           part.sizes().slice(1) == first.sizes().slice(1);
  });
  if (!alike || first.is_cpu() || first.is_meta()) return;
  const at::NoGradGuard no_gradient;
  std::vector<Tensor> numbers;
  for (const Tensor& part : parts) numbers.push_back(part.detach());
  const Tensor block = at::cat(numbers);
  int64_t begin = 0;
  for (Tensor& part : parts) {
    const int64_t rows = part.size(0);
    part.set_data(block.narrow(0, begin, rows));
    begin += rows;
  }
}

}  // namespace

Weight joint_weight(const std::vector<const Linear*>& maps) {
  const Joint joint = joint_of(maps);
  return joint.bias_E.defined() ? Weight() : joint.weight_ED;
}

std::vector<Tensor> joint_linear(const Tensor& x_ND, const std::vector<const Linear*>& maps) {
  if (!x_ND.is_cpu() && !at::GradMode::is_enabled()) {
    if (const Joint joint = joint_of(maps); joint.weight_ED.defined()) {
      std::vector<int64_t> widths;
      for (const Linear* map : maps) widths.push_back(map->out());
      return kernels::linear(x_ND, joint.weight_ED, joint.bias_E).split_with_sizes(widths, -1);
    }
  }
  std::vector<Tensor> outputs;
  for (const Linear* map : maps) outputs.push_back((*map)(x_ND));
  return outputs;
}

void lay_side_by_side(const std::vector<Linear*>& maps) {
  std::vector<Tensor> weights, biases;
  std::vector<PackedMatrix> packed;
  for (Linear* map : maps) {
    if (map->layout != WeightLayout::output_major) return;
    if (map->weight.is_packed()) {
      packed.push_back(map->weight.packed());
    } else {
      weights.push_back(map->weight.dense());
    }
    if (map->bias.defined()) biases.push_back(map->bias);
  }
  if (packed.size() == maps.size()) {
    packed = kernels::on_device::side_by_side(packed);
    for (size_t i = 0; i < packed.size(); ++i) maps[i]->weight = Weight(packed[i]);
  } else if (weights.size() == maps.size()) {
    move_together(weights);
  }
  if (biases.size() == maps.size()) move_together(biases);
}

}  // namespace alambic
