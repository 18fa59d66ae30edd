// LoRA's dropout with the words of nn/lora.cpp.
#include "alambic/base/philox.h"
#include "alambic/kernels/cuda/kernels.h"
#include "alambic/kernels/cuda/numbers.h"

namespace alambic::kernels::device {
namespace {

constexpr int threads = 256;

// Four elements, one block of words, to a thread.
template <class T>
__global__ void drop(DeviceDropout job) {
  const int64_t block = global_thread();
  if (4 * block >= job.n) return;
  const auto drawn = philox_words({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                                   job.words[2], job.words[3]},
                                  {job.words[0], job.words[1]});
  for (int i = 0; i < 4 && 4 * block + i < job.n; ++i) {
    const float x = widen(static_cast<const T*>(job.x)[4 * block + i]);
    const float mask = drawn[i] >= job.least ? job.kept : 0.0f;
    static_cast<T*>(job.y)[4 * block + i] = narrow<T>(x * widen(narrow<T>(mask)));
  }
}

}  // namespace

void dropout(const DeviceDropout& job, void* stream) {
  with_type(job.type, [&](auto number) {
    simt::launch(drop<decltype(number)>, blocks_for((job.n + 3) / 4, threads), threads, 0, stream,
                 job);
  });
}

}  // namespace alambic::kernels::device
