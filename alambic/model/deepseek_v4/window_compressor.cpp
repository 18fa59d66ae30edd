#include "alambic/model/deepseek_v4/window_compressor.h"

#include <algorithm>
#include <limits>

#include "alambic/model/deepseek_v4/tail_rotation.h"

namespace alambic {

namespace {

// Value and gate of the tokens before a sequence's first.
constexpr double kNothing[] = {0, -std::numeric_limits<double>::infinity()};

}  // namespace

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

// Values, and gates with their bias, of windows of raw rows.
std::vector<Tensor> WindowCompressor::halves(const Tensor& rows_EmW) const {
  std::vector<Tensor> both = rows_EmW.chunk(2, -1);
  both[1] = both[1] + ape;
  return both;
}

// Entries `number_E` out of the values and gates of the tokens that they read.
Tensor WindowCompressor::compressed(const std::vector<Tensor>& both, const Tensor& number_E,
                                    const Rope& rope) const {
  const at::ScalarType own = both[0].scalar_type();
  const auto type = own == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor weights = both[1].to(type).softmax(1).to(own);
  const Tensor entry_Ed = norm((both[0] * weights).sum(1));
  return rotate_tail(entry_Ed.unsqueeze(1), rope.at(number_E * shape.stride)).squeeze(1);
}

// Entries of the whole windows of a sequence's first tokens.
Tensor WindowCompressor::compressed(const Tensor& raw_TW, const Rope& rope) const {
  const int64_t m = shape.stride, d = shape.entry, windows = raw_TW.size(0) / m;
  std::vector<Tensor> both = halves(raw_TW.narrow(0, 0, windows * m).unflatten(0, {-1, m}));
  if (shape.overlapping) {
    for (size_t i = 0; i < 2; ++i) {
      const Tensor earlier = both[i].narrow(-1, 0, d).narrow(0, 0, windows - 1);
      both[i] = at::cat({at::cat({at::full({1, m, d}, kNothing[i], earlier.options()), earlier}),
                         both[i].narrow(-1, d, d)},
                        1);
    }
  }
  const auto options = at::TensorOptions().dtype(at::kLong).device(raw_TW.device());
  return compressed(both, at::arange(windows, options), rope);
}

Tensor WindowCompressor::entries(const Tensor& raw_TW, const Memory& memory,
                                 const Rope& rope) const {
  const int64_t T = raw_TW.size(0), ring = shape.ring();
  Tensor remembered = memory.ring_RW;  // shares the cache's memory
  if (remembered.defined()) {
    const int64_t kept = std::min(T, ring);
    const auto options = at::TensorOptions().dtype(at::kLong).device(raw_TW.device());
    remembered.index_copy_(0, at::arange(T - kept, T, options).remainder(ring),
                           raw_TW.narrow(0, T - kept, kept));
  }
  if (T < shape.stride) return raw_TW.narrow(0, 0, 0).narrow(1, 0, shape.entry);
  const Tensor entry_Ed = compressed(raw_TW, rope);
  if (remembered.defined()) memory.entry_Ed.narrow(0, 0, entry_Ed.size(0)).copy_(entry_Ed);
  return entry_Ed;
}

void WindowCompressor::step(const Tensor& raw_BW, const std::vector<int64_t>& starts,
                            const std::vector<int64_t>& slots, const Tensor& rings,
                            const Tensor& entries, const Rope& rope) const {
  const int64_t m = shape.stride, d = shape.entry;
  const auto upload = [&](const std::vector<int64_t>& values) {
    return at::tensor(values, at::kLong).to(raw_BW.device());
  };
  Tensor ring = rings, entry = entries;  // handles of the cache's memory
  ring.index_put_({upload(slots), upload(starts).remainder(shape.ring())}, raw_BW);
  std::vector<int64_t> whole_slots, numbers;  // of the sequences whose window is whole now
  for (size_t b = 0; b < starts.size(); ++b) {
    if ((starts[b] + 1) % m != 0) continue;
    whole_slots.push_back(slots[b]);
    numbers.push_back(starts[b] / m);
  }
  if (numbers.empty()) return;
  const Tensor slot_E = upload(whole_slots), number_E = upload(numbers);
  const auto window = [&](const Tensor& window_E) {
    const Tensor place_Em = window_E.unsqueeze(-1) * m + at::arange(m, window_E.options());
    return halves(ring.index({slot_E.unsqueeze(-1), place_Em.remainder(shape.ring())}));
  };
  std::vector<Tensor> both = window(number_E);
  if (shape.overlapping) {
    const std::vector<Tensor> before = window(number_E - 1);
    const Tensor first_E11 = (number_E == 0).view({-1, 1, 1});
    for (size_t i = 0; i < 2; ++i) {
      const double nothing = i == 0 ? 0 : -std::numeric_limits<double>::infinity();
      both[i] = at::cat(
          {before[i].narrow(-1, 0, d).masked_fill(first_E11, nothing), both[i].narrow(-1, d, d)},
          1);
    }
  }
  entry.index_put_({slot_E, number_E}, compressed(both, number_E, rope));
}

void WindowCompressor::visit(const std::string& prefix, const TensorVisitor& visitor) {
  wkv.visit(prefix + "wkv", visitor);
  wgate.visit(prefix + "wgate", visitor);
  visitor(prefix + "ape", ape);
  norm.visit(prefix + "norm", visitor);
}

}  // namespace alambic
