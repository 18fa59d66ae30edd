#include "alambic/teacher/topk.h"

#include "alambic/base/error.h"
#include "alambic/nn/head_logits.h"

namespace alambic {

TopK topk_of(const HiddenStates& teacher, int64_t k, double temperature) {
  const at::NoGradGuard no_grad;
  const Head head = wide_head(teacher.head);
  check(k >= 1 && k <= head.vocabulary(), "top {} of {} tokens", k, head.vocabulary());
  const int64_t M = teacher.hidden_MD.size(0);
  const int64_t rows = std::max<int64_t>(1, (int64_t{16} << 20) / head.vocabulary());
  std::vector<Tensor> values, tokens;
  for (int64_t begin = 0; begin < M; begin += rows) {
    const Tensor hidden_CD = teacher.hidden_MD.narrow(0, begin, std::min(rows, M - begin));
    const Tensor logits_CV = head_logits(head, hidden_CD.to(at::kFloat));
    const auto [value_CK, token_CK] =
        logits_CV.div_(temperature).log_softmax(1).topk(k, 1, /*largest=*/true, /*sorted=*/true);
    values.push_back(value_CK);
    tokens.push_back(token_CK);
  }
  return {.logp_MK = at::cat(values), .token_MK = at::cat(tokens)};
}

}  // namespace alambic
