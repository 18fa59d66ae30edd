#include <cstring>

#include "alambic/kernels/attention.h"
#include "alambic/kernels/attention_parts.h"
#include "alambic/kernels/cpu.h"
#include "alambic/kernels/launch.h"

namespace alambic::kernels {

namespace {

Tensor generic_cached(const Tensor& q_BHd, const Tensor& keys, const Tensor& values,
                      const std::vector<int64_t>& slots, const std::vector<int64_t>& lengths,
                      const AttentionOptions& options) {
  const bool grouped = q_BHd.size(1) > keys.size(1);
  std::vector<Tensor> outputs;
  for (size_t b = 0; b < slots.size(); ++b) {
    auto entries = [&](const Tensor& cache) {
      return cache.select(0, slots[b]).narrow(1, 0, lengths[b]).unsqueeze(0);
    };
    const Tensor q = q_BHd[static_cast<int64_t>(b)].unsqueeze(1).unsqueeze(0);  // [1, H, 1, d]
    if (!ordinary(options)) {
      outputs.push_back(
          attention_by_definition(q[0], entries(keys)[0], entries(values)[0], options).squeeze(1));
      continue;
    }
    outputs.push_back(at::scaled_dot_product_attention(q, entries(keys), entries(values), {}, 0.0,
                                                       false, options.scale, grouped)
                          .squeeze(0)
                          .squeeze(1));
  }
  return outputs.empty() ? q_BHd.clone() : at::stack(outputs);
}

/// Each (slot, kv head) holds dense rows.
bool dense_entries(const Tensor& cache) {
  return cache.stride(3) == 1 && cache.stride(2) == cache.size(3);
}

void check_entries(const Tensor& cache, const std::vector<int64_t>& slots,
                   const std::vector<int64_t>& ends) {
  check(slots.size() == ends.size(), "cache: {} slots, {} lengths", slots.size(), ends.size());
  for (size_t b = 0; b < slots.size(); ++b) {
    check(slots[b] >= 0 && slots[b] < cache.size(0) && ends[b] >= 0 && ends[b] <= cache.size(2),
          "cache: entry {} of slot {} in a cache of {} slots of {}", ends[b], slots[b],
          cache.size(0), cache.size(2));
  }
}

}  // namespace

Tensor cached_attention(const Tensor& q_BHd, const Tensor& keys, const Tensor& values,
                        const std::vector<int64_t>& slots, const std::vector<int64_t>& lengths,
                        const AttentionOptions& options) {
  check_attention(options, q_BHd.size(1));
  check_entries(keys, slots, lengths);
  check(q_BHd.size(0) == static_cast<int64_t>(slots.size()) && keys.sizes() == values.sizes() &&
            q_BHd.size(2) == keys.size(3) && q_BHd.size(1) % keys.size(1) == 0,
        "cached_attention: shapes of q and the cache do not fit");
  const bool widened = is_bfloat(q_BHd, keys, values);  // by the kernel, as it reads them
  AttentionOptions own = options;
  if (widened && own.sinks_H.defined()) own.sinks_H = own.sinks_H.to(at::kFloat);
  if (!(widened || plain(q_BHd, keys, values)) || !plain_sinks(own) || !dense_entries(keys) ||
      !dense_entries(values)) {
    return generic_cached(q_BHd, keys, values, slots, lengths, options);
  }
  const int64_t B = q_BHd.size(0), H = q_BHd.size(1), d = q_BHd.size(2), K = keys.size(1);
  const int64_t group = H / K;
  const bool dense = q_BHd.stride(2) == 1 && q_BHd.stride(1) == d;
  const Tensor q = (dense ? q_BHd : q_BHd.contiguous()).to(at::kFloat);
  const Tensor out = at::empty({B, H, d}, q.options());
  const auto* queries = q.const_data_ptr<float>();
  const auto* k = static_cast<const char*>(keys.const_data_ptr());
  const auto* v = static_cast<const char*>(values.const_data_ptr());
  const int64_t size = keys.element_size();
  auto* y = out.mutable_data_ptr<float>();
  int64_t entries = 0;
  for (int64_t length : lengths) {
    entries += options.window > 0 ? std::min(options.window, length) : length;
  }
  const double unit_ns = 0.15 * static_cast<double>(entries * d * group) /
                             static_cast<double>(std::max<int64_t>(B, 1)) +
                         50;
  parallel(B * K, unit_ns, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(widened ? cached_chunk * d : 0);
    const auto row_of = [&](const Tensor& cache, int64_t b, int64_t head) {
      return (slots[b] * cache.stride(0) + head * cache.stride(1)) * size;
    };
    for (int64_t i = begin; i < end; ++i) {
      const int64_t b = i / K, head = i % K;
      cpu().cached_attention({.q = queries + b * q.stride(0) + head * group * d,
                              .k = k + row_of(keys, b, head),
                              .v = v + row_of(values, b, head),
                              .scratch = widened ? scratch.data() : nullptr,
                              .length = lengths[b],
                              .d = d,
                              .group = group,
                              .scale = static_cast<float>(options.scale),
                              .window = options.window,
                              .softcap = static_cast<float>(options.softcap),
                              .sinks = sinks_of(own, head * group),
                              .out = y + (b * H + head * group) * d});
    }
  });
  return out.to(q_BHd.scalar_type());
}

void write_cache(const Tensor& rows_NKd, const std::vector<int64_t>& offsets, const Tensor& cache,
                 const std::vector<int64_t>& slots, const std::vector<int64_t>& starts) {
  const int64_t sequences = static_cast<int64_t>(offsets.size()) - 1;
  check(static_cast<int64_t>(starts.size()) == sequences, "write_cache: {} sequences, {} starts",
        sequences, starts.size());
  std::vector<int64_t> ends = starts;
  for (int64_t s = 0; s < sequences; ++s) ends[s] += offsets[s + 1] - offsets[s];
  check_entries(cache, slots, ends);
  const bool bytes = rows_NKd.is_cpu() && cache.is_cpu() && dense_entries(cache) &&
                     rows_NKd.scalar_type() == cache.scalar_type() && !wants_gradient(rows_NKd);
  if (!bytes) {
    for (int64_t s = 0; s < sequences; ++s) {
      const int64_t length = offsets[s + 1] - offsets[s];
      cache.select(0, slots[s])
          .narrow(1, starts[s], length)
          .copy_(rows_NKd.narrow(0, offsets[s], length).transpose(0, 1));
    }
    return;
  }
  const Tensor rows = dense_rows(rows_NKd);
  const int64_t size = rows.element_size(), K = rows.size(1), row = rows.size(2) * size;
  const auto* from = static_cast<const char*>(rows.const_data_ptr());
  auto* to = static_cast<char*>(cache.mutable_data_ptr());
  for (int64_t s = 0; s < sequences; ++s) {
    for (int64_t head = 0; head < K; ++head) {
      char* entry = to + (slots[s] * cache.stride(0) + head * cache.stride(1)) * size;
      for (int64_t n = offsets[s]; n < offsets[s + 1]; ++n) {
        std::memcpy(entry + (starts[s] + n - offsets[s]) * row,
                    from + (n * rows.stride(0) + head * rows.stride(1)) * size, row);
      }
    }
  }
}

}  // namespace alambic::kernels
