#include "alambic/kernels/delta_rule.h"

#include <ATen/ops/linalg_solve_triangular.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace alambic::kernels {
namespace {

// Chunks of all sequences, those of the same place in their sequences side by side and longer
// sequences first: the sequences that have a chunk at place c are always the first ones.
struct Layout {
  std::vector<int64_t> order;   // sequences, those with more chunks first
  std::vector<int64_t> active;  // per place: sequences that have a chunk there
  std::vector<int64_t>
      source;                // per row of the chunks: its position among N, N where it is padding
  std::vector<int64_t> row;  // per position: its row

  explicit Layout(const std::vector<int64_t>& offsets) : order(offsets.size() - 1) {
    const auto length = [&](int64_t s) { return offsets[s + 1] - offsets[s]; };
    const auto chunks = [&](int64_t s) {
      return std::max<int64_t>(1, (length(s) + kChunk - 1) / kChunk);
    };
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](int64_t a, int64_t b) { return chunks(a) > chunks(b); });
    row.resize(offsets.back());
    for (int64_t c = 0; order.size() > 0 && c < chunks(order.front()); ++c) {
      active.push_back(0);
      for (const int64_t s : order) {
        if (chunks(s) <= c) break;
        ++active.back();
        for (int64_t i = c * kChunk; i < (c + 1) * kChunk; ++i) {
          if (i < length(s)) row[offsets[s] + i] = std::ssize(source);
          source.push_back(i < length(s) ? offsets[s] + i : offsets.back());
        }
      }
    }
  }
};

at::ScalarType wide(const Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

Tensor indices(const std::vector<int64_t>& numbers, const Tensor& like) {
  return at::tensor(numbers, at::kLong).to(like.device());
}

// Inputs of every head of values, wide.
struct Heads {
  Tensor q, k, v, decay, rate;

  explicit Heads(const DeltaInputs& in) {
    const at::ScalarType type = wide(in.v_NHd);
    const int64_t group = in.v_NHd.size(1) / in.k_NKd.size(1);
    const auto shared = [&](const Tensor& x_NKd) {
      const Tensor x = x_NKd.to(type);
      return group == 1 ? x : x.repeat_interleave(group, 1);
    };
    q = shared(in.q_NKd);
    k = shared(in.k_NKd);
    v = in.v_NHd.to(type);
    decay = in.decay_NH.to(type);
    rate = in.rate_NH.to(type);
  }
};

}  // namespace

DeltaOutputs packed_delta_rule(const DeltaInputs& inputs, const std::vector<int64_t>& offsets) {
  const Heads heads(inputs);
  const Layout layout(offsets);
  const Tensor source = indices(layout.source, heads.v);
  // [N, H, …] to [M, H, 64, …], M chunks. Rows of padding are 0: their rate changes nothing and
  // their decay is none.
  const auto chunked = [&](const Tensor& x) {
    const Tensor padded = at::cat({x, at::zeros_like(x.narrow(0, 0, 1))});
    return padded.index_select(0, source).unflatten(0, {-1, kChunk}).transpose(1, 2).contiguous();
  };
  const Tensor q = chunked(heads.q), k = chunked(heads.k), v = chunked(heads.v);
  const Tensor rate = chunked(heads.rate).unsqueeze(-1);
  const Tensor decay = chunked(heads.decay).cumsum(-1);  // since the chunk's beginning
  const Tensor later =
      at::ones({kChunk, kChunk}, decay.options().dtype(at::kBool).requires_grad(false)).triu(1);
  // From column j's position to row i's.
  const Tensor between = (decay.unsqueeze(-1) - decay.unsqueeze(-2))
                             .masked_fill(later, -std::numeric_limits<double>::infinity())
                             .exp();
  const Tensor keys_t = k.transpose(-1, -2), corrected = k * rate;
  const Tensor system = at::matmul(corrected, keys_t) * between;
  const Tensor scores = at::matmul(q, keys_t) * between;
  const Tensor since_start = decay.exp().unsqueeze(-1);
  // The values that the chunk writes are values − seen·S, S the state before it.
  const int64_t dv = v.size(-1), dk = k.size(-1);
  const std::vector<Tensor> solved =
      at::linalg_solve_triangular(system, at::cat({v * rate, corrected * since_start}, -1),
                                  /*upper=*/false, /*left=*/true, /*unitriangular=*/true)
          .split_with_sizes({dv, dk}, -1);
  const Tensor total = decay.narrow(-1, kChunk - 1, 1);
  const Tensor asked = q * since_start;
  const Tensor kept_t = (k * (total - decay).exp().unsqueeze(-1)).transpose(-1, -2);
  const Tensor left = total.exp().unsqueeze(-1);

  std::vector<Tensor> outputs, finals;  // finals: of the shortest sequences first
  Tensor state;
  int64_t first = 0;
  for (size_t c = 0; c < layout.active.size(); ++c) {
    const int64_t count = layout.active[c];
    const auto here = [&](const Tensor& x) { return x.narrow(0, first, count); };
    if (c == 0) {
      outputs.push_back(at::matmul(here(scores), here(solved[0])));
      state = at::matmul(here(kept_t), here(solved[0]));
    } else {
      const Tensor before = state.narrow(0, 0, count);
      const Tensor written = here(solved[0]) - at::matmul(here(solved[1]), before);
      outputs.push_back(at::matmul(here(asked), before) + at::matmul(here(scores), written));
      state = before * here(left) + at::matmul(here(kept_t), written);
    }
    first += count;
    const int64_t going_on = c + 1 < layout.active.size() ? layout.active[c + 1] : 0;
    if (going_on < count) finals.push_back(state.narrow(0, going_on, count - going_on));
  }
  std::ranges::reverse(finals);
  std::vector<int64_t> place(layout.order.size());
  for (size_t i = 0; i < place.size(); ++i) place[layout.order[i]] = static_cast<int64_t>(i);
  return {at::cat(outputs)
              .transpose(1, 2)
              .flatten(0, 1)
              .index_select(0, indices(layout.row, v))
              .to(inputs.v_NHd.scalar_type()),
          at::cat(finals).index_select(0, indices(place, v))};
}

DeltaOutputs delta_rule_step(const DeltaInputs& inputs, const Tensor& state_NHkv) {
  const Heads heads(inputs);
  const Tensor before = state_NHkv * heads.decay.exp().unsqueeze(-1).unsqueeze(-1);
  const auto read = [](const Tensor& x_NHk, const Tensor& state) {
    return at::matmul(x_NHk.unsqueeze(-2), state);
  };
  const Tensor written =
      (heads.v.unsqueeze(-2) - read(heads.k, before)) * heads.rate.unsqueeze(-1).unsqueeze(-1);
  const Tensor state = before + at::matmul(heads.k.unsqueeze(-1), written);
  return {read(heads.q, state).squeeze(-2).to(inputs.v_NHd.scalar_type()), state};
}

}  // namespace alambic::kernels
