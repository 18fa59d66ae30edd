#include "alambic/kernels/attention_parts.h"

#include <limits>

#include "alambic/kernels/launch.h"

namespace alambic::kernels {

const float* sinks_of(const AttentionOptions& options, int64_t head) {
  return options.sinks_H.defined() ? options.sinks_H.const_data_ptr<float>() + head : nullptr;
}

Tensor attention_by_definition(const Tensor& q_HTd, const Tensor& k_KUd, const Tensor& v_KUd,
                               const AttentionOptions& options) {
  const int64_t H = q_HTd.size(0), T = q_HTd.size(1), U = k_KUd.size(1);
  const int64_t group = H / k_KUd.size(0);
  const auto wide = q_HTd.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  auto per_head = [&](const Tensor& x) { return x.repeat_interleave(group, 0).to(wide); };
  Tensor scores = at::matmul(q_HTd.to(wide), per_head(k_KUd).transpose(1, 2)) * options.scale;
  if (options.softcap > 0) scores = (scores / options.softcap).tanh() * options.softcap;
  const auto places = q_HTd.options().dtype(at::kLong);
  const Tensor behind =
      at::arange(U - T, U, places).unsqueeze(1) - at::arange(U, places).unsqueeze(0);
  Tensor hidden = behind < 0;
  if (options.window > 0) hidden = hidden.logical_or(behind >= options.window);
  scores = scores.masked_fill(hidden, -std::numeric_limits<double>::infinity());
  if (options.sinks_H.defined()) {
    scores = at::cat({scores, options.sinks_H.to(wide).view({H, 1, 1}).expand({H, T, 1})}, -1);
  }
  const Tensor weights = scores.softmax(-1).narrow(-1, 0, U);
  return at::matmul(weights, per_head(v_KUd)).to(q_HTd.scalar_type());
}

bool ordinary(const AttentionOptions& options) {
  return options.window == 0 && options.softcap == 0 && !options.sinks_H.defined();
}

void check_attention(const AttentionOptions& options, int64_t heads) {
  check(options.window >= 0 && options.softcap >= 0, "attention: window {}, soft-cap {}",
        options.window, options.softcap);
  check(!options.sinks_H.defined() ||
            (options.sinks_H.dim() == 1 && options.sinks_H.size(0) == heads),
        "attention: a sink is needed for each of {} heads", heads);
}

bool plain_sinks(const AttentionOptions& options) {
  return !options.sinks_H.defined() || (plain(options.sinks_H) && options.sinks_H.is_contiguous());
}

}  // namespace alambic::kernels
