// Cross-entropy of rows of logits with its gradient, a row to a block (cross_entropy_cpu.cpp).
#include "alambic/kernels/cuda/numbers.h"
#include "alambic/objective/cuda/rows.h"
#include "alambic/objective/cuda/softmax.h"

namespace alambic::device {
namespace {

__global__ void cross_entropy_row(DeviceCrossEntropy job) {
  float* logits = job.logits + blockIdx.x * job.stride;
  const int64_t target = job.targets[blockIdx.x];
  const auto inverse_temperature = static_cast<float>(1 / job.temperature);
  const Softmax s = softmax(logits, job.vocabulary, inverse_temperature);
  const bool known = target >= 0 && target < job.vocabulary;
  const double target_logit = known ? logits[target] : NAN;
  const double value = s.log_sum - (target_logit - s.top) / job.temperature;
  if (threadIdx.x == 0) {
    job.cross_entropy[blockIdx.x] = value;
    job.agreement[blockIdx.x] = s.argmax == target ? 1.0 : 0.0;
  }
  if (!job.gradient) return;
  __syncthreads();  // everyone has read the target's logit
  const auto log_sum = static_cast<float>(s.log_sum), weight = static_cast<float>(job.weight);
  const auto cap = static_cast<float>(job.softcap > 0 ? 1 / (job.softcap * job.softcap) : 0);
  for (int64_t v = threadIdx.x; v < job.vocabulary; v += blockDim.x) {
    const float z = logits[v];
    const float slope = weight * (1.0f - z * z * cap);
    // q − 1 from the logarithm: near certainty 1 − q would have no digits left.
    logits[v] = slope * (v == target ? static_cast<float>(expm1(-value))
                                     : expf((z - s.top) * inverse_temperature - log_sum));
  }
}

}  // namespace

void cross_entropy_rows(const DeviceCrossEntropy& job, void* stream) {
  simt::launch(cross_entropy_row, static_cast<unsigned>(job.rows),
               threads_for(job.vocabulary, row_threads), 0, stream, job);
}

}  // namespace alambic::device
