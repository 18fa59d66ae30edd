#include "alambic/nn/sparse_attention.h"

#include <algorithm>
#include <limits>

#include "alambic/kernels/launch.h"
#include "alambic/tensor/function.h"

namespace alambic {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Queries whose entries are gathered together: 16 MiB of float32.
int64_t block_of(const Tensor& entry_Md, const Tensor& index_TC) {
  constexpr int64_t numbers = 1 << 22;
  return std::max<int64_t>(1, numbers / std::max<int64_t>(1, index_TC.size(1) * entry_Md.size(1)));
}

// A few queries with their entries.
struct Block {
  Tensor q_BHd, entry_BCd, seen_B1C;

  Block(const Tensor& q_BHd, const Tensor& entry_BCd, const Tensor& seen_BC)
      : q_BHd(q_BHd), entry_BCd(entry_BCd), seen_B1C(seen_BC.unsqueeze(1)) {}

  Block(const Tensor& q_THd, const Tensor& entry_Md, const ChosenEntries& chosen, int64_t begin,
        int64_t count)
      : q_BHd(q_THd.narrow(0, begin, count)),
        entry_BCd(entry_Md.index_select(0, chosen.index_TC.narrow(0, begin, count).flatten())
                      .view({count, -1, entry_Md.size(1)})),
        seen_B1C(chosen.seen_TC.narrow(0, begin, count).unsqueeze(1)) {}

  // Softmax over the entries and the sink, which comes last: [B, H, C or C + 1].
  Tensor weights(const Tensor& sinks_H, double scale) const {
    const at::ScalarType type = q_BHd.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const Tensor score_BHC = at::bmm(q_BHd, entry_BCd.transpose(1, 2)).to(type) * scale;
    const Tensor shown_BHC =
        score_BHC.masked_fill(~seen_B1C, -std::numeric_limits<double>::infinity());
    if (!sinks_H.defined()) return shown_BHC.softmax(-1);
    const Tensor sink_BH1 = sinks_H.to(type).view({1, -1, 1}).expand({q_BHd.size(0), -1, 1});
    return at::cat({shown_BHC, sink_BH1}, -1).softmax(-1);
  }

  // Sums of the entries by their weights, [B, H, d].
  Tensor output(const Tensor& sinks_H, double scale) const {
    const Tensor weight_BHC = weights(sinks_H, scale).narrow(-1, 0, entry_BCd.size(1));
    return at::bmm(weight_BHC.to(entry_BCd.scalar_type()), entry_BCd);
  }
};

template <class F>
void for_each_block(const Tensor& q_THd, const Tensor& entry_Md, const ChosenEntries& chosen, F f) {
  const int64_t step = block_of(entry_Md, chosen.index_TC);
  for (int64_t begin = 0; begin < q_THd.size(0); begin += step) {
    const int64_t count = std::min(step, q_THd.size(0) - begin);
    f(Block(q_THd, entry_Md, chosen, begin, count), begin, count);
  }
}

struct SparseAttention : torch::autograd::Function<SparseAttention> {
  static Tensor forward(AutogradContext* context, const Tensor& q_THd, const Tensor& entry_Md,
                        const std::optional<Tensor>& sinks_H, const Tensor& index_TC,
                        const Tensor& seen_TC, double scale) {
    context->save_for_backward({q_THd, entry_Md, sinks_H.value_or(Tensor()), index_TC, seen_TC});
    context->saved_data["scale"] = scale;
    const Tensor out_THd = at::empty_like(q_THd, at::MemoryFormat::Contiguous);
    for_each_block(
        q_THd, entry_Md, {index_TC, seen_TC},
        [&](const Block& block, int64_t begin, int64_t count) {
          out_THd.narrow(0, begin, count).copy_(block.output(sinks_H.value_or(Tensor()), scale));
        });
    return out_THd;
  }

  // With P the weights, s the scale, E a query's entries: dE = Pᵀ·dO + s·dSᵀ·q, dq = s·dS·E,
  // dS = P ∘ (dO·Eᵀ − Σ_c P·dO·Eᵀ); of the sink, whose value is zero, dS = −P · Σ_c P·dO·Eᵀ.
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    kernels::refuse_second_derivative("sparse attention");
    const variable_list saved = context->get_saved_variables();
    const Tensor &q_THd = saved[0], &entry_Md = saved[1], &sinks_H = saved[2];
    const ChosenEntries chosen{saved[3], saved[4]};
    const double scale = context->saved_data["scale"].toDouble();
    const int64_t C = chosen.index_TC.size(1), d = entry_Md.size(1);
    const Tensor grad_THd = gradients[0].contiguous(), dq_THd = at::empty_like(grad_THd);
    const at::ScalarType type = q_THd.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    Tensor dentry_Md = at::zeros(entry_Md.sizes(), entry_Md.options().dtype(type)), dsinks_H;
    if (sinks_H.defined()) dsinks_H = at::zeros(sinks_H.sizes(), sinks_H.options().dtype(type));
    for_each_block(q_THd, entry_Md, chosen, [&](const Block& block, int64_t begin, int64_t count) {
      const Tensor grad_BHd = grad_THd.narrow(0, begin, count);
      const Tensor all_BHC = block.weights(sinks_H, scale);
      const Tensor weight_BHC = all_BHC.narrow(-1, 0, C);
      const Tensor pull_BHC = at::bmm(grad_BHd, block.entry_BCd.transpose(1, 2)).to(type);
      const Tensor mean_BH1 = (weight_BHC * pull_BHC).sum(-1, /*keepdim=*/true);
      const Tensor dscore_BHC =
          (weight_BHC * (pull_BHC - mean_BH1) * scale).to(entry_Md.scalar_type());
      dq_THd.narrow(0, begin, count).copy_(at::bmm(dscore_BHC, block.entry_BCd));
      const Tensor dentry_BCd =
          at::bmm(weight_BHC.to(entry_Md.scalar_type()).transpose(1, 2), grad_BHd) +
          at::bmm(dscore_BHC.transpose(1, 2), block.q_BHd);
      dentry_Md.index_add_(0, chosen.index_TC.narrow(0, begin, count).flatten(),
                           dentry_BCd.view({-1, d}).to(type));
      if (dsinks_H.defined()) {
        dsinks_H -= (all_BHC.narrow(-1, C, 1) * mean_BH1).sum(0).squeeze(-1);
      }
    });
    if (dsinks_H.defined()) dsinks_H = dsinks_H.to(sinks_H.scalar_type());
    return {dq_THd, dentry_Md.to(entry_Md.scalar_type()), dsinks_H, Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor sparse_attention(const Tensor& q_THd, const Tensor& entry_Md, const ChosenEntries& chosen,
                        const kernels::AttentionOptions& options) {
  const auto sinks_H =
      options.sinks_H.defined() ? std::optional<Tensor>(options.sinks_H) : std::nullopt;
  return SparseAttention::apply(q_THd, entry_Md, sinks_H, chosen.index_TC, chosen.seen_TC,
                                options.scale);
}

Tensor gathered_attention(const Tensor& q_THd, const Tensor& entry_TCd, const Tensor& seen_TC,
                          const kernels::AttentionOptions& options) {
  const at::NoGradGuard no_grad;
  return Block(q_THd, entry_TCd, seen_TC).output(options.sinks_H, options.scale);
}

}  // namespace alambic
