// RMS norm of rows, with the residual sum before it, and its gradients.
#include "alambic/kernels/cuda/kernels.h"
#include "alambic/kernels/cuda/numbers.h"
#include "alambic/kernels/cuda/reduce.h"

namespace alambic::kernels::device {
namespace {

constexpr unsigned threads = 256;
constexpr int warp = 32;  // a thread to a column: small blocks, so that all processors have some

template <class T, class W>
__global__ void norm_row(DeviceNorm job) {
  const T *x = static_cast<const T*>(job.x), *residual = static_cast<const T*>(job.residual);
  T *sum = static_cast<T*>(job.sum), *y = static_cast<T*>(job.y);
  const W* weight = static_cast<const W*>(job.weight);
  const int64_t D = job.D, at = blockIdx.x * D;
  const bool wide = job.wide || sizeof(T) != sizeof(W);
  float squares = 0;
  for (int64_t d = threadIdx.x; d < D; d += blockDim.x) {
    float s = widen(x[at + d]);
    if (residual != nullptr) {
      sum[at + d] = narrow<T>(s + widen(residual[at + d]));
      s = widen(sum[at + d]);
    }
    squares += s * s;
  }
  const float mean = block_sum(squares) / static_cast<float>(D);
  const float scale = 1.0f / sqrtf(mean + job.epsilon);
  if (job.inverse != nullptr && threadIdx.x == 0) job.inverse[blockIdx.x] = scale;
  const T* s = residual != nullptr ? sum : x;
  for (int64_t d = threadIdx.x; d < D; d += blockDim.x) {
    float quotient = widen(s[at + d]) * scale;
    if (!wide) quotient = widen(narrow<T>(quotient));
    y[at + d] = narrow<T>((widen(weight[d]) + job.shift) * quotient);
  }
}

// With x̂ = s·inverse, g = (w + shift)·dy: dx = inverse·(g − x̂·mean(g·x̂)) + ds.
template <class T, class W>
__global__ void norm_row_grad(const T* s, const W* weight, const T* dy, const float* inverse,
                              const T* ds, T* dx, int64_t D, float shift) {
  const int64_t at = blockIdx.x * D;
  const float scale = inverse[blockIdx.x];
  float dot = 0;
  for (int64_t d = threadIdx.x; d < D; d += blockDim.x) {
    dot += widen(s[at + d]) * (widen(weight[d]) + shift) * widen(dy[at + d]);
  }
  const float along = block_sum(dot) * scale * scale / static_cast<float>(D);
  for (int64_t d = threadIdx.x; d < D; d += blockDim.x) {
    const float g = (widen(weight[d]) + shift) * widen(dy[at + d]);
    float grad = scale * (g - widen(s[at + d]) * along);
    if (ds != nullptr) grad += widen(ds[at + d]);
    dx[at + d] = narrow<T>(grad);
  }
}

// A thread sums one column of dy·x̂ over norm_grad_rows rows.
template <class T>
__global__ void weight_grad_parts(const T* s, const T* dy, const float* inverse, float* parts,
                                  int64_t N, int64_t D) {
  const int64_t d = global_thread();
  if (d >= D) return;
  const int64_t first = blockIdx.y * norm_grad_rows;
  const int64_t last = first + norm_grad_rows < N ? first + norm_grad_rows : N;
  float sum = 0;
  for (int64_t n = first; n < last; ++n) {
    sum += widen(dy[n * D + d]) * (widen(s[n * D + d]) * inverse[n]);
  }
  parts[blockIdx.y * D + d] = sum;
}

template <class W>
__global__ void weight_grad_sum(const float* parts, W* dweight, int64_t count, int64_t D) {
  const int64_t d = global_thread();
  if (d >= D) return;
  float sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += parts[i * D + d];
  dweight[d] = narrow<W>(sum);
}

}  // namespace

void rms_norm(const DeviceNorm& job, void* stream) {
  with_type(job.type, [&](auto number) {
    with_type(job.weight_type, [&](auto weight) {
      using T = decltype(number);
      using W = decltype(weight);
      simt::launch(norm_row<T, W>, static_cast<unsigned>(job.N), threads_for(job.D, threads), 0,
                   stream, job);
    });
  });
}

void rms_norm_grad(const DeviceNormGrad& job, void* stream) {
  with_type(job.type, [&](auto number) {
    with_type(job.weight_type, [&](auto weight) {
      using T = decltype(number);
      using W = decltype(weight);
      const auto *s = static_cast<const T*>(job.s), *dy = static_cast<const T*>(job.dy);
      if (job.dx != nullptr) {
        simt::launch(norm_row_grad<T, W>, static_cast<unsigned>(job.N), threads_for(job.D, threads),
                     0, stream, s, static_cast<const W*>(job.weight), dy, job.inverse,
                     static_cast<const T*>(job.ds), static_cast<T*>(job.dx), job.D, job.shift);
      }
      if (job.dweight == nullptr) return;
      const int64_t parts = norm_grad_parts(job.N);
      simt::launch(weight_grad_parts<T>,
                   dim3(blocks_for(job.D, warp), static_cast<unsigned>(parts)), warp, 0, stream, s,
                   dy, job.inverse, job.parts, job.N, job.D);
      simt::launch(weight_grad_sum<W>, blocks_for(job.D, warp), warp, 0, stream,
                   static_cast<const float*>(job.parts), static_cast<W*>(job.dweight), parts,
                   job.D);
    });
  });
}

}  // namespace alambic::kernels::device
