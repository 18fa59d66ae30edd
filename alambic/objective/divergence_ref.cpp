#include "alambic/objective/divergence_ref.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "alambic/objective/divergences/all.h"

namespace alambic::reference {

Row log_softmax(const Row& logits, double temperature) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const double z : logits) total += std::exp((z - top) / temperature);
  Row result;
  for (const double z : logits) result.push_back((z - top) / temperature - std::log(total));
  return result;
}

double kl(const Row& log_p, const Row& log_q) {
  double total = 0;
  for (size_t v = 0; v < log_p.size(); ++v) {
    const double p = std::exp(log_p[v]);
    if (p > 0) total += p * (log_p[v] - log_q[v]);
  }
  return total;
}

Row mixture(double share, const Row& log_p, const Row& log_q) {
  Row log_m;
  for (size_t v = 0; v < log_p.size(); ++v) {
    log_m.push_back(std::log(share * std::exp(log_p[v]) + (1 - share) * std::exp(log_q[v])));
  }
  return log_m;
}

double divergence(double beta, double temperature, const Row& student_logits,
                  const Row& teacher_logits) {
  return divergence(DivergenceKind::jsd, beta, temperature, student_logits, teacher_logits);
}

double divergence(DivergenceKind kind, double parameter, double temperature,
                  const Row& student_logits, const Row& teacher_logits) {
  const double d = distance(kind, parameter, log_softmax(student_logits, temperature),
                            log_softmax(teacher_logits, temperature));
  return std::pow(temperature, info_of(kind).temperature_power) * d;
}

double distance(DivergenceKind kind, double parameter, const Row& log_q, const Row& log_p) {
  switch (kind) {
#define ALAMBIC_DIVERGENCE(kind, type) \
  case DivergenceKind::kind:           \
    return type::definition(parameter, log_q, log_p);
#include "alambic/objective/divergences.def"
#undef ALAMBIC_DIVERGENCE
  }
  return std::nan("");
}

double head_share(const Row& log_q, const Row& log_p) {
  std::vector<size_t> order(log_p.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return log_p[a] > log_p[b]; });
  double mass = 0, head = 0, all = 0;
  for (const size_t v : order) {
    const double p = std::exp(log_p[v]), difference = std::abs(p - std::exp(log_q[v]));
    if (mass < 0.5) head += difference;
    all += difference;
    mass += p;
  }
  return all > 0 ? head / all : 0.5;
}

Row buckets(const Row& log_p, const std::vector<int>& chosen) {
  Row result;
  double tail = 0;
  for (const int v : chosen) result.push_back(log_p[v]);
  for (size_t v = 0; v < log_p.size(); ++v) {
    if (std::ranges::find(chosen, static_cast<int>(v)) == chosen.end()) tail += std::exp(log_p[v]);
  }
  if (tail > 0) result.push_back(std::log(tail));
  return result;
}

double cross_entropy(const Row& logits, int target) { return -log_softmax(logits)[target]; }

double entropy(const Row& log_p) {
  double total = 0;
  for (const double l : log_p) total -= std::exp(l) * l;
  return total;
}

Row logits(const Row& hidden, const std::vector<Row>& weight, const Row& bias, double scale,
           double softcap) {
  Row result;
  for (size_t v = 0; v < weight.size(); ++v) {
    double u = bias.empty() ? 0 : bias[v];
    for (size_t d = 0; d < hidden.size(); ++d) u += hidden[d] * weight[v][d];
    u *= scale;
    result.push_back(softcap > 0 ? softcap * std::tanh(u / softcap) : u);
  }
  return result;
}

namespace {

Row projected(const Row& x, const std::vector<Row>& projection) {
  if (projection.empty()) return x;
  Row y;
  for (const Row& row : projection) {
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) sum += row[i] * x[i];
    y.push_back(sum);
  }
  return y;
}

}  // namespace

double hidden_mse(const Row& student, const std::vector<Row>& projection, const Row& teacher) {
  const Row s = projected(student, projection);
  double sum = 0;
  for (size_t i = 0; i < s.size(); ++i) sum += (s[i] - teacher[i]) * (s[i] - teacher[i]);
  return sum / static_cast<double>(teacher.size());
}

double hidden_cosine(const Row& student, const std::vector<Row>& projection, const Row& teacher) {
  const Row s = projected(student, projection);
  double both = 0, of_student = 0, of_teacher = 0;
  for (size_t i = 0; i < s.size(); ++i) {
    both += s[i] * teacher[i];
    of_student += s[i] * s[i];
    of_teacher += teacher[i] * teacher[i];
  }
  return 1 - both / std::sqrt(of_student * of_teacher);
}

}  // namespace alambic::reference
