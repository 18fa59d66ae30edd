// The optimizer's step and the gradients' norm, element by element.
#include "alambic/kernels/cuda/kernels.h"
#include "alambic/kernels/cuda/numbers.h"
#include "alambic/kernels/cuda/reduce.h"

namespace alambic::kernels::device {
namespace {

constexpr int threads = 256;

template <class T>
__global__ void adamw_step(DeviceAdamW job) {
  const int64_t i = global_thread();
  if (i >= job.n) return;
  const float scale = job.scale != nullptr ? job.factor * *job.scale : job.factor;
  float gradient = widen(static_cast<const T*>(job.gradient)[i]);
  // Selected, not multiplied: what is not finite times 0 would reach the moments.
  gradient = scale == 0 ? 0.0f : gradient * scale;
  const float mean = job.mean[i] + (1 - job.beta1) * (gradient - job.mean[i]);
  const float square = job.beta2 * job.square[i] + (1 - job.beta2) * gradient * gradient;
  float master = job.master[i] * (1 - job.learning_rate * job.weight_decay);
  const float root = sqrtf(square) / sqrtf(job.correction2) + job.epsilon;
  master -= job.learning_rate / job.correction1 * mean / root;
  job.mean[i] = mean;
  job.square[i] = square;
  job.master[i] = master;
  if (job.weight != nullptr) static_cast<T*>(job.weight)[i] = narrow<T>(master);
}

// A part of squares_part numbers to a block.
template <class T>
__global__ void square_part(const T* gradient, double* parts, int64_t n) {
  const int64_t first = blockIdx.x * squares_part;
  const int64_t last = first + squares_part < n ? first + squares_part : n;
  double sum = 0;
  for (int64_t i = first + threadIdx.x; i < last; i += blockDim.x) {
    const float g = widen(gradient[i]);
    sum += static_cast<double>(g) * g;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

__global__ void clip_factor(DeviceClip job) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < job.count; i += blockDim.x) sum += job.parts[i];
  const double norm = sqrt(block_sum(sum));
  if (threadIdx.x != 0) return;
  *job.norm = norm;
  const bool finite = norm - norm == 0;
  const bool longer = job.most > 0 && norm > job.most;
  *job.scale = !finite ? 0.0f : longer ? static_cast<float>(job.most / norm) : 1.0f;
}

}  // namespace

void adamw(const DeviceAdamW& job, void* stream) {
  with_type(job.type, [&](auto number) {
    simt::launch(adamw_step<decltype(number)>, blocks_for(job.n, threads), threads, 0, stream, job);
  });
}

void squares(const DeviceSquares& job, void* stream) {
  with_type(job.type, [&](auto number) {
    using T = decltype(number);
    simt::launch(square_part<T>, static_cast<unsigned>(squares_parts(job.n)), threads, 0, stream,
                 static_cast<const T*>(job.gradient), job.parts, job.n);
  });
}

void clip(const DeviceClip& job, void* stream) {
  simt::launch(clip_factor, 1, threads, 0, stream, job);
}

}  // namespace alambic::kernels::device
