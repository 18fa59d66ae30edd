// What only libtorch's CUDA headers know, for code that has none of them: graphs of recorded
// kernels, and NCCL. A library of its own, loaded after libtorch_cuda.so.
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAGraph.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

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

/// Begins to record what this thread enqueues on the current stream, which is not the default one.
[[gnu::visibility("default")]] void* alambic_graph_begin() {
  auto graph = std::make_unique<at::cuda::CUDAGraph>();
  graph->capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
  return graph.release();
}
[[gnu::visibility("default")]] void alambic_graph_end(void* graph) {
  static_cast<at::cuda::CUDAGraph*>(graph)->capture_end();
}
[[gnu::visibility("default")]] void alambic_graph_replay(void* graph) {
  static_cast<at::cuda::CUDAGraph*>(graph)->replay();
}
[[gnu::visibility("default")]] void alambic_graph_free(void* graph) {
  delete static_cast<at::cuda::CUDAGraph*>(graph);
}

}  // extern "C"
