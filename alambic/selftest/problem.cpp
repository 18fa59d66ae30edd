#include "alambic/selftest/problem.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace alambic::selftest {

reference::Row row_of(const Tensor& vector) {
  const Tensor wide = vector.detach().to(at::kDouble).contiguous();
  const auto* data = wide.const_data_ptr<double>();
  return {data, data + wide.numel()};
}

std::vector<reference::Row> rows_of(const Tensor& matrix) {
  const Tensor wide = matrix.detach().to(at::kDouble).contiguous();
  const auto* data = wide.const_data_ptr<double>();
  const int64_t width = matrix.size(1);
  std::vector<reference::Row> rows;
  for (int64_t r = 0; r < matrix.size(0); ++r) {
    rows.emplace_back(data + r * width, data + (r + 1) * width);
  }
  return rows;
}

reference::Row logits_of(const Tensor& hidden_D, const Head& head) {
  return reference::logits(row_of(hidden_D), rows_of(head.weight_VD.dense()),
                           head.bias_V.defined() ? row_of(head.bias_V) : reference::Row{},
                           head.scale, head.softcap);
}

Problem Problem::to(at::ScalarType dtype) const {
  const auto head = [&](Head h) {
    h.weight_VD = h.weight_VD.dense().to(dtype);
    if (h.bias_V.defined()) h.bias_V = h.bias_V.to(dtype);
    return h;
  };
  return {student_MD.to(dtype), head(student),
          HiddenStates{.hidden_MD = teacher().hidden_MD.to(dtype), .head = head(teacher().head)}};
}

Problem Problem::rows(int64_t begin, int64_t count) const {
  return {student_MD.narrow(0, begin, count), student,
          HiddenStates{.hidden_MD = teacher().hidden_MD.narrow(0, begin, count),
                       .head = teacher().head}};
}

namespace {

std::vector<int> chosen_tokens(const Divergence& divergence, const reference::Row& log_q,
                               const reference::Row& log_p) {
  std::vector<int> chosen;
  const auto add = [&](const reference::Row& row) {
    std::vector<int> order(row.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](int a, int b) { return row[a] > row[b]; });
    for (int64_t k = 0; k < std::min<int64_t>(divergence.topk, std::ssize(row)); ++k) {
      if (std::ranges::find(chosen, order[k]) == chosen.end()) chosen.push_back(order[k]);
    }
  };
  if (divergence.topk_by != TopKBy::student) add(log_p);
  if (divergence.topk_by != TopKBy::teacher) add(log_q);
  return chosen;
}

struct Distributions {
  reference::Row log_q, log_p;
};

Distributions distributions(const Problem& problem, const Divergence& divergence, int64_t m) {
  const double T = divergence.kd_temperature;
  auto log_q = reference::log_softmax(problem.student_logits(m), T);
  auto log_p = reference::log_softmax(problem.teacher_logits(m), T);
  if (divergence.topk == 0) return {log_q, log_p};
  const auto chosen = chosen_tokens(divergence, log_q, log_p);
  return {reference::buckets(log_q, chosen), reference::buckets(log_p, chosen)};
}

}  // namespace

double Problem::reference_sum(const Divergence& divergence, const Problem& at) const {
  const double T = divergence.kd_temperature;
  double total = 0;
  for (int64_t m = 0; m < student_MD.size(0); ++m) {
    const Distributions here = distributions(*this, divergence, m);
    const Distributions frozen = &at == this ? here : distributions(at, divergence, m);
    for (const DivergenceTerm& term : divergence.terms) {
      const DivergenceInfo& info = info_of(term.kind);
      const double parameter = info.parameter.source == DivergenceParameter::head_share
                                   ? reference::head_share(frozen.log_q, frozen.log_p)
                                   : term.parameter;
      total += term.weight * std::pow(T, info.temperature_power) *
               reference::distance(term.kind, parameter, here.log_q, here.log_p);
    }
  }
  return total;
}

Problem random_problem(int64_t graded, int64_t vocabulary, bool bias) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
  const auto random = [&](at::IntArrayRef shape) {
    return at::randn(shape, generator, at::TensorOptions().dtype(at::kDouble));
  };
  Problem problem{.student_MD = random({graded, 5}),
                  .student = {.weight_VD = random({vocabulary, 5})},
                  .teacher_output = HiddenStates{.hidden_MD = random({graded, 6}),
                                                 .head = {.weight_VD = random({vocabulary, 6})}}};
  if (bias) {
    problem.student.bias_V = random({vocabulary});
    problem.teacher().head.bias_V = random({vocabulary});
  }
  return problem;
}

Problem one_row(const std::vector<double>& student, const std::vector<double>& teacher) {
  const auto column = [](const std::vector<double>& values) {
    return at::tensor(values, at::kDouble).unsqueeze(1);
  };
  const Tensor one = at::ones({1, 1}, at::kDouble);
  return {one,
          {.weight_VD = column(student)},
          HiddenStates{.hidden_MD = one, .head = {.weight_VD = column(teacher)}}};
}

Problem remote(const Problem& problem, int64_t K, double T) {
  const Tensor logp_MV = at::log_softmax(
      at::mm(problem.teacher().hidden_MD, problem.teacher().head.weight_VD.dense().t()) / T, -1);
  const auto [logp_MK, token_MK] = at::topk(logp_MV, K, -1);
  return {problem.student_MD, problem.student,
          TopK{.logp_MK = logp_MK.to(at::kFloat), .token_MK = token_MK}};
}

double loss_of(const Problem& problem, const Divergence& divergence) {
  return measure_divergence(divergence, problem.student_MD, problem.student, problem.teacher_output)
      .value.item<double>();
}

Gradients differentiate(const Problem& problem, const Divergence& divergence, double normalizer,
                        const ChunkOptions& chunk) {
  const Tensor hidden = problem.student_MD.detach().clone().requires_grad_();
  Head head = problem.student;
  head.weight_VD = head.weight_VD.dense().detach().clone().requires_grad_();
  if (head.bias_V.defined()) head.bias_V = head.bias_V.detach().clone().requires_grad_();
  const Loss loss =
      divergence_loss(divergence, hidden, head, problem.teacher_output, normalizer, chunk);
  loss.value.backward();
  return {loss.value.item<double>(), hidden.grad(), head.weight_VD.dense().grad(),
          head.bias_V.defined() ? head.bias_V.grad() : Tensor()};
}

Tensor finite_differences(const Tensor& x, const std::function<double()>& value) {
  constexpr double step = 1e-5;
  const Tensor result = at::empty_like(x);
  auto* entries = x.data_ptr<double>();
  auto* out = result.data_ptr<double>();
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double kept = entries[i];
    entries[i] = kept + step;
    const double above = value();
    entries[i] = kept - step;
    out[i] = (above - value()) / (2 * step);
    entries[i] = kept;
  }
  return result;
}

double relative_difference(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  return (x - y).abs().max().item<double>() / std::max(y.abs().max().item<double>(), 1e-30);
}

}  // namespace alambic::selftest
