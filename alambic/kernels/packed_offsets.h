#pragma once

#include <vector>

#include "alambic/tensor/tensor.h"

namespace alambic::kernels {

/// Places where packed sequences begin, and where the last one ends: S + 1 entries. Rows
/// [queries()[s], queries()[s + 1]) are the queries of the last positions of sequence s, whose keys
/// and values are [keys()[s], keys()[s + 1]). The layers of a pass share one.
class PackedOffsets {
 public:
  /// A query at every position.
  explicit PackedOffsets(const std::vector<int64_t>& offsets) : PackedOffsets(offsets, offsets) {}
  PackedOffsets(std::vector<int64_t> queries, std::vector<int64_t> keys)
      : queries_(std::move(queries)), keys_(std::move(keys)) {}

  const std::vector<int64_t>& queries() const { return queries_; }
  const std::vector<int64_t>& keys() const { return keys_; }
  int64_t sequences() const { return static_cast<int64_t>(keys_.size()) - 1; }
  /// Most queries, and most positions, of a sequence.
  int64_t longest_queries() const { return longest(queries_); }
  int64_t longest_keys() const { return longest(keys_); }

  /// Both on the device, int32 [2, S + 1], queries first. Uploaded when the first layer asks; not
  /// for two threads at a time.
  const Tensor& on(at::Device device) const;

 private:
  static int64_t longest(const std::vector<int64_t>& offsets);

  std::vector<int64_t> queries_, keys_;
  mutable Tensor on_device_;
};

}  // namespace alambic::kernels
