#include "alambic/objective/divergence_ref.h"

#include <algorithm>
#include <cmath>

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

double divergence(double beta, double temperature, const Row& student_logits,
                  const Row& teacher_logits) {
  const Row log_q = log_softmax(student_logits, temperature);
  const Row log_p = log_softmax(teacher_logits, temperature);
  const double square = temperature * temperature;
  if (beta == 0) return square * kl(log_p, log_q);
  if (beta == 1) return square * kl(log_q, log_p);
  Row log_m;
  for (size_t v = 0; v < log_p.size(); ++v) {
    log_m.push_back(std::log(beta * std::exp(log_p[v]) + (1 - beta) * std::exp(log_q[v])));
  }
  return square * (beta * kl(log_p, log_m) + (1 - beta) * kl(log_q, log_m));
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

}  // namespace alambic::reference
