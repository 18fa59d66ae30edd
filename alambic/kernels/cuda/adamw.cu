// The optimizer's step and the gradients' norm, element by element.
#include "alambic/kernels/cuda/kernels.h"
#include "alambic/kernels/cuda/numbers.h"
#include "alambic/kernels/cuda/reduce.h"

namespace alambic::kernels::device {
namespace {

constexpr int threads = 256;

__device__ __forceinline__ float number(const void* numbers, DeviceNumber type, int64_t i) {
  return type == DeviceNumber::f32 ? static_cast<const float*>(numbers)[i]
                                   : widen(static_cast<const Bf16*>(numbers)[i]);
}

__device__ void step(const DeviceAdamW& job, const DeviceAdamWTensor& tensor, float scale,
                     int64_t i) {
  // Selected, not multiplied: what is not finite times 0 would reach the moments.
  const bool none = tensor.gradient == nullptr || scale == 0;
  const float gradient = none ? 0.0f : number(tensor.gradient, tensor.gradient_type, i) * scale;
  const float mean = tensor.mean[i] + job.rest1 * (gradient - tensor.mean[i]);
  const float square = job.beta2 * tensor.square[i] + job.rest2 * gradient * gradient;
  const float root = sqrtf(square) / job.root_correction + job.epsilon;
  const float master = tensor.master[i] * tensor.kept - job.step_size * mean / root;
  tensor.mean[i] = mean;
  tensor.square[i] = square;
  tensor.master[i] = master;
  if (tensor.weight == nullptr) return;
  if (tensor.weight_type == DeviceNumber::f32) {
    static_cast<float*>(tensor.weight)[i] = master;
  } else {
    static_cast<Bf16*>(tensor.weight)[i] = narrow<Bf16>(master);
  }
}

// A part of adamw_part numbers of one tensor to a block.
__global__ void adamw_step(const __grid_constant__ DeviceAdamW job) {
  int64_t part = blockIdx.x;
  int which = 0;
  while (part >= adamw_parts(job.tensor[which].n)) part -= adamw_parts(job.tensor[which++].n);
  const DeviceAdamWTensor& tensor = job.tensor[which];
  const float scale = job.scale != nullptr ? job.factor * *job.scale : job.factor;
  const int64_t first = part * adamw_part;
  const int64_t last = first + adamw_part < tensor.n ? first + adamw_part : tensor.n;
  for (int64_t i = first + threadIdx.x; i < last; i += blockDim.x) step(job, tensor, scale, i);
}

// A part of squares_part numbers of one tensor to a block.
__global__ void square_part(const __grid_constant__ DeviceSquares job) {
  int64_t part = blockIdx.x;
  int which = 0;
  while (part >= squares_parts(job.gradient[which].n)) {
    part -= squares_parts(job.gradient[which++].n);
  }
  const DeviceGradient& gradient = job.gradient[which];
  const int64_t first = part * squares_part;
  const int64_t last = first + squares_part < gradient.n ? first + squares_part : gradient.n;
  double sum = 0;
  for (int64_t i = first + threadIdx.x; i < last; i += blockDim.x) {
    const float g = number(gradient.numbers, gradient.type, i);
    sum += static_cast<double>(g) * g;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) job.parts[blockIdx.x] = sum;
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
  int64_t parts = 0;
  for (int i = 0; i < job.count; ++i) parts += adamw_parts(job.tensor[i].n);
  simt::launch(adamw_step, static_cast<unsigned>(parts), threads, 0, stream, job);
}

void squares(const DeviceSquares& job, void* stream) {
  int64_t parts = 0;
  for (int i = 0; i < job.count; ++i) parts += squares_parts(job.gradient[i].n);
  simt::launch(square_part, static_cast<unsigned>(parts), threads, 0, stream, job);
}

void clip(const DeviceClip& job, void* stream) {
  simt::launch(clip_factor, 1, threads, 0, stream, job);
}

}  // namespace alambic::kernels::device
