#include "alambic/model/deepseek_v4/window_compressor.h"

#include <algorithm>
#include <limits>

#include "alambic/model/deepseek_v4/tail_rotation.h"

namespace alambic {

WindowCompressor::WindowCompressor(const CompressorShape& shape) : shape(shape) {
  const int64_t each = shape.raw_width() / 2;
  wkv = {shape.width, each, false};
  wgate = {shape.width, each, false};
  ape = placeholder({shape.stride, each});
  norm = {shape.entry, shape.epsilon};
}

Tensor WindowCompressor::raw(const Tensor& x_ND) const {
  return at::cat({wkv(x_ND), wgate(x_ND)}, -1);
}

// Entries `first`, `first` + 1, … of whole windows; `before` has the raw rows of the window before
// the first, undefined where there is none.
Tensor WindowCompressor::compressed(const Tensor& raw_TW, int64_t first, const Tensor& before_mW,
                                    const Rope& rope) const {
  const int64_t d = shape.entry, windows = raw_TW.size(0) / shape.stride;
  const auto halves = [&](const Tensor& rows) {
    std::vector<Tensor> both = rows.unflatten(0, {-1, shape.stride}).chunk(2, -1);
    both[1] = both[1] + ape;
    return both;
  };
  std::vector<Tensor> both = halves(raw_TW.narrow(0, 0, windows * shape.stride));
  if (shape.overlapping) {
    std::vector<Tensor> before;
    if (before_mW.defined()) before = halves(before_mW);
    for (size_t i = 0; i < 2; ++i) {
      const Tensor earlier = both[i].narrow(-1, 0, d).narrow(0, 0, windows - 1);
      const double nothing = i == 0 ? 0 : -std::numeric_limits<double>::infinity();
      const Tensor start = before.empty()
                               ? at::full({1, shape.stride, d}, nothing, earlier.options())
                               : before[i].narrow(-1, 0, d);
      both[i] = at::cat({at::cat({start, earlier}), both[i].narrow(-1, d, d)}, 1);
    }
  }
  const auto type = raw_TW.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor weights = both[1].to(type).softmax(1).to(raw_TW.scalar_type());
  const Tensor entry_Ed = norm((both[0] * weights).sum(1));
  const Tensor position_E =
      (at::arange(windows, at::TensorOptions().dtype(at::kLong).device(raw_TW.device())) + first) *
      shape.stride;
  return rotate_tail(entry_Ed.unsqueeze(1), rope.at(position_E)).squeeze(1);
}

Tensor WindowCompressor::entries(const Tensor& raw_TW, int64_t start, const Memory& memory,
                                 const Rope& rope) const {
  const int64_t T = raw_TW.size(0), m = shape.stride, ring = shape.ring();
  // Rows of the ring for `count` positions from `position` on.
  const auto places = [&](int64_t position, int64_t count) {
    const auto options = at::TensorOptions().dtype(at::kLong).device(raw_TW.device());
    return at::arange(position, position + count, options).remainder(ring);
  };
  Tensor remembered = memory.ring_RW;  // shares the cache's memory
  if (remembered.defined()) {
    const int64_t kept = std::min(T, ring);
    remembered.index_copy_(0, places(start + T - kept, kept), raw_TW.narrow(0, T - kept, kept));
  }
  if (start > 0) {
    const int64_t count = (start + 1) / m;
    if ((start + 1) % m == 0) {
      const int64_t first = start + 1 - m;
      const auto rows = [&](int64_t position) {
        return remembered.index_select(0, places(position, m));
      };
      const Tensor before = shape.overlapping && first > 0 ? rows(first - m) : Tensor();
      memory.entry_Ed.narrow(0, count - 1, 1)
          .copy_(compressed(rows(first), count - 1, before, rope));
    }
    return memory.entry_Ed.narrow(0, 0, count);
  }
  if (T < m) return raw_TW.narrow(0, 0, 0).narrow(1, 0, shape.entry);
  const Tensor entry_Ed = compressed(raw_TW, 0, Tensor(), rope);
  if (remembered.defined()) memory.entry_Ed.narrow(0, 0, entry_Ed.size(0)).copy_(entry_Ed);
  return entry_Ed;
}

void WindowCompressor::visit(const std::string& prefix, const TensorVisitor& visitor) {
  wkv.visit(prefix + "wkv", visitor);
  wgate.visit(prefix + "wgate", visitor);
  visitor(prefix + "ape", ape);
  norm.visit(prefix + "norm", visitor);
}

}  // namespace alambic
