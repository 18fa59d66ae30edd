// What only libtorch's CUDA headers know, for code that has none of them: graphs of recorded
// kernels, and NCCL. A library of its own, loaded after libtorch_cuda.so.
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

namespace {

struct Recording {
  at::cuda::CUDAGraph graph;
  c10::MempoolId_t pool = {};  // of its memory
  c10::DeviceIndex device = 0;
};

// Where the device has broken a recording off, libtorch's allocator goes on waiting for its end,
// and gives no memory back meanwhile.
void let_go(const Recording& recording) {
  namespace allocator = c10::cuda::CUDACachingAllocator;
  try {
    allocator::endAllocateToPool(recording.device, recording.pool);
    allocator::releasePool(recording.device, recording.pool);
  } catch (const c10::Error&) {  // it does not wait
  }
}

}  // namespace

extern "C" {

/// dist/device_transport.h. Ranks that hang or are gone are this program's to tell of: libtorch's
/// watch would end the process by a signal.
[[gnu::visibility("default")]] void* alambic_nccl(void* store, int rank, int size,
                                                  int64_t timeout_ms) {
  ::setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0", /*overwrite=*/0);
  ::setenv("TORCH_NCCL_ENABLE_MONITORING", "0", /*overwrite=*/0);
  ::setenv("TORCH_NCCL_DUMP_ON_TIMEOUT", "0", /*overwrite=*/0);
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = std::chrono::milliseconds(timeout_ms);
  c10::intrusive_ptr<c10d::Backend> backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(
      c10::intrusive_ptr<c10d::Store>::reclaim_copy(static_cast<c10d::Store*>(store)), rank, size,
      options);
  return backend.release();
}

/// The UUID of a GPU, or of the slice of one.
[[gnu::visibility("default")]] void alambic_gpu_name(int device, char* text, int64_t size) {
  const auto& uuid = at::cuda::getDeviceProperties(static_cast<c10::DeviceIndex>(device))->uuid;
  for (int64_t i = 0; i < std::min<int64_t>(16, (size - 1) / 2); ++i) {
    std::snprintf(text + 2 * i, 3, "%02x", static_cast<unsigned char>(uuid.bytes[i]));
  }
}

/// Begins to record what this thread enqueues on the current stream, which is not the default one
/// (kernels/device_graph.h).
[[gnu::visibility("default")]] void* alambic_graph_begin(void* shares) {
  auto recording = std::make_unique<Recording>();
  recording->pool =
      shares == nullptr ? at::cuda::graph_pool_handle() : static_cast<Recording*>(shares)->pool;
  recording->device = at::cuda::current_device();
  try {
    // What other threads do meanwhile is their own affair.
    recording->graph.capture_begin(recording->pool, cudaStreamCaptureModeThreadLocal);
  } catch (...) {
    let_go(*recording);
    throw;
  }
  return recording.release();
}
[[gnu::visibility("default")]] void alambic_graph_end(void* recording) {
  try {
    static_cast<Recording*>(recording)->graph.capture_end();
  } catch (...) {
    let_go(*static_cast<Recording*>(recording));
    throw;
  }
}
[[gnu::visibility("default")]] void alambic_graph_replay(void* recording) {
  static_cast<Recording*>(recording)->graph.replay();
}
[[gnu::visibility("default")]] void alambic_graph_free(void* recording) {
  delete static_cast<Recording*>(recording);
}

}  // extern "C"
