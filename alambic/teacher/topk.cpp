#include "alambic/teacher/topk.h"

#include "alambic/base/error.h"
#include "alambic/kernels/packed_linear.h"

namespace alambic {

namespace {

Tensor packed_logits(const Tensor& hidden_CD, const PackedMatrix& weight_VD) {
  const Tensor logits_CV = at::empty({hidden_CD.size(0), weight_VD.rows}, at::kFloat);
  kernels::write_packed_product(logits_CV, hidden_CD.to(at::kFloat), weight_VD);
  return logits_CV;
}

}  // namespace

Judgement topk_of(const Judgement& judgement, int64_t k, double temperature) {
  const at::NoGradGuard no_grad;
  const Head& head = judgement.head;
  check(k >= 1 && k <= head.vocabulary(), "top {} of {} tokens", k, head.vocabulary());
  const Tensor weight_DV = head.packed ? Tensor() : head.weight_VD.to(at::kFloat).t();
  const int64_t M = judgement.hidden_MD.size(0);
  const int64_t rows = std::max<int64_t>(1, (int64_t{16} << 20) / head.vocabulary());
  std::vector<Tensor> values, tokens;
  for (int64_t begin = 0; begin < M; begin += rows) {
    const Tensor hidden_CD = judgement.hidden_MD.narrow(0, begin, std::min(rows, M - begin));
    Tensor logits_CV = head.packed ? packed_logits(hidden_CD, *head.packed)
                                   : hidden_CD.to(at::kFloat).matmul(weight_DV);
    if (head.bias_V.defined()) logits_CV.add_(head.bias_V);
    if (head.scale != 1) logits_CV.mul_(head.scale);
    if (head.softcap > 0) logits_CV.div_(head.softcap).tanh_().mul_(head.softcap);
    const auto [value_CK, token_CK] =
        logits_CV.div_(temperature).log_softmax(1).topk(k, 1, /*largest=*/true, /*sorted=*/true);
    values.push_back(value_CK);
    tokens.push_back(token_CK);
  }
  return {.topk_logp_MK = at::cat(values), .token_MK = at::cat(tokens)};
}

}  // namespace alambic
