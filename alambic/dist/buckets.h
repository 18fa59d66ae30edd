// Rows of tensors as messages take them: in pieces of one type, and by whose part they are.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// Numbers of one message: 16 MiB in float32.
inline constexpr int64_t bucket_numbers = 4 << 20;

/// Type in which numbers of a tensor are added up.
inline at::ScalarType sum_type(const Tensor& tensor) {
  return tensor.scalar_type() == at::kBFloat16 || tensor.scalar_type() == at::kHalf
             ? at::kFloat
             : tensor.scalar_type();
}

/// Sends tensors in messages of one type and device and, where they are not larger themselves, of
/// bucket_numbers at most: `exchange` changes a message's numbers, which then are the tensors'.
/// They travel on the device `on(tensors' device)`.
template <class On, class Exchange>
void in_buckets(const std::vector<Tensor>& tensors, const On& on, const Exchange& exchange) {
  for (size_t first = 0; first < tensors.size();) {
    const at::ScalarType type = sum_type(tensors[first]);
    const at::Device device = tensors[first].device(), road = on(device);
    std::vector<Tensor> flat;
    size_t last = first;
    for (int64_t numbers = 0; last < tensors.size() && sum_type(tensors[last]) == type &&
                              tensors[last].device() == device;
         ++last) {
      numbers += tensors[last].numel();
      if (last > first && numbers > bucket_numbers) break;
      flat.push_back(tensors[last].detach().reshape({-1}).to(road, type));
    }
    Tensor bucket = at::cat(flat);
    exchange(bucket);
    int64_t place = 0;
    for (; first < last; ++first) {
      Tensor target = tensors[first].detach();
      target.copy_(bucket.narrow(0, place, target.numel()).view(target.sizes()));
      place += target.numel();
    }
  }
}

/// Of `numbers` from `place` on, of `count` in a row, those of rank `owner`: first and one past the
/// last, counted from `place`.
inline std::pair<int64_t, int64_t> overlap(int64_t place, int64_t numbers, int64_t count,
                                           int64_t owner, int64_t ranks) {
  const int64_t first = std::clamp<int64_t>(count * owner / ranks - place, 0, numbers);
  const int64_t last = std::clamp<int64_t>(count * (owner + 1) / ranks - place, 0, numbers);
  return {first, last};
}

/// What rank `owner` has of the tensors: flat views, no empty ones.
inline std::vector<Tensor> parts_of(const std::vector<Tensor>& tensors, int64_t owner,
                                    int64_t ranks) {
  int64_t count = 0;
  for (const Tensor& tensor : tensors) count += tensor.numel();
  std::vector<Tensor> parts;
  int64_t place = 0;
  for (const Tensor& tensor : tensors) {
    const auto [first, last] = overlap(place, tensor.numel(), count, owner, ranks);
    if (last > first) parts.push_back(tensor.detach().view({-1}).narrow(0, first, last - first));
    place += tensor.numel();
  }
  return parts;
}

}  // namespace alambic
