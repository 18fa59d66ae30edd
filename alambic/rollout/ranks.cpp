#include "alambic/rollout/ranks.h"

#include <algorithm>

#include "alambic/nn/head_logits.h"

namespace alambic {

Tensor logits_of_ranks(const World& ranks, const Head& head, const Tensor& hidden_BD) {
  // Parts of a gather are equal: what the last ones lack is padded and cut off behind it.
  const int64_t vocabulary = head.vocabulary();
  const int64_t each = (vocabulary + ranks.size() - 1) / ranks.size();
  const int64_t begin = std::min(ranks.rank() * each, vocabulary);
  const int64_t count = std::min(each, vocabulary - begin);
  Tensor own_BP = at::zeros({hidden_BD.size(0), each}, hidden_BD.options());
  if (count > 0) own_BP.narrow(1, 0, count).copy_(head_logits(head.piece(begin, count), hidden_BD));
  const Tensor all = at::empty({ranks.size() * own_BP.size(0), each}, own_BP.options());
  ranks.gather_rows(all, own_BP, gathering_logits).wait();
  return all.unflatten(0, {ranks.size(), -1}).transpose(0, 1).flatten(1).narrow(1, 0, vocabulary);
}

void tell_drawn(const World& ranks, std::vector<std::optional<Drawn>>& drawn) {
  const auto count = std::ssize(drawn);
  const Tensor told = at::empty({count, 2}, at::kDouble);  // token, −1: none; log-probability
  auto* numbers = told.mutable_data_ptr<double>();
  for (int64_t b = 0; b < count; ++b) {
    numbers[2 * b] = drawn[b] ? drawn[b]->token : -1;
    numbers[2 * b + 1] = drawn[b] ? drawn[b]->logp : 0;
  }
  ranks.from_first(told, telling_tokens);
  for (int64_t b = 0; b < count; ++b) {
    drawn[b].reset();
    if (numbers[2 * b] < 0) continue;
    drawn[b] = {.token = static_cast<int32_t>(numbers[2 * b]),
                .logp = static_cast<float>(numbers[2 * b + 1])};
  }
}

}  // namespace alambic
