// How the cost of attention to chosen entries grows with the context, beside the masked form that
// computes all pairs: processor seconds of a forward and backward pass, and the exponents fitted to
// them (theory: 1 and 2). Sizes as DeepSeek-V3.2's, 1/8 as wide and deep.
#include <ctime>

#include <cmath>
#include <cstdio>
#include <vector>

#include "alambic/nn/index_scores.h"
#include "alambic/nn/masked_attention.h"

namespace alambic {
namespace {

constexpr int64_t kHeads = 16, kWidth = 72, kChosen = 256;

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <class Attention>
double cost(int64_t T, const Attention& attention) {
  const Tensor q_THd = at::randn({T, kHeads, kWidth}).requires_grad_();
  const Tensor entry_Td = at::randn({T, kWidth}).requires_grad_();
  const Tensor visible_TT = visible_entries(0, T, T, 1, at::kCPU);
  const ChosenEntries chosen = best_entries(at::randn({T, T}), visible_TT, kChosen);
  const Tensor seen_TT = at::zeros({T, T}, at::kBool).scatter(1, chosen.index_TC, chosen.seen_TC);
  const double start = processor_seconds();
  attention(q_THd, entry_Td, chosen, seen_TT).sum().backward();
  return processor_seconds() - start;
}

// Slope of log(cost) over log(length), by least squares.
double exponent(const std::vector<int64_t>& lengths, const std::vector<double>& costs) {
  double x = 0, y = 0, xx = 0, xy = 0;
  const auto n = static_cast<double>(lengths.size());
  for (size_t i = 0; i < lengths.size(); ++i) {
    const double a = std::log(static_cast<double>(lengths[i])), b = std::log(costs[i]);
    x += a, y += b, xx += a * a, xy += a * b;
  }
  return (n * xy - x * y) / (n * xx - x * x);
}

}  // namespace
}  // namespace alambic

int main() {
  using namespace alambic;
  const std::vector<int64_t> lengths = {512, 1024, 2048, 4096};
  std::vector<double> sparse, masked;
  const kernels::AttentionOptions options{.scale = 0.1};
  std::printf("%8s %12s %12s\n", "context", "chosen, s", "masked, s");
  for (const int64_t T : lengths) {
    sparse.push_back(
        cost(T, [&](const Tensor& q, const Tensor& entry, const ChosenEntries& chosen,
                    const Tensor&) { return sparse_attention(q, entry, chosen, options); }));
    masked.push_back(
        cost(T, [&](const Tensor& q, const Tensor& entry, const ChosenEntries&,
                    const Tensor& seen) { return masked_attention(q, entry, seen, options); }));
    std::printf("%8ld %12.3f %12.3f\n", static_cast<long>(T), sparse.back(), masked.back());
  }
  std::printf("%8s %12.2f %12.2f\n", "exponent", exponent(lengths, sparse),
              exponent(lengths, masked));
}
