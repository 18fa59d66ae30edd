// What only libtorch's CUDA headers know, for code that has none of them: graphs of recorded
// kernels, and NCCL. A library of its own, loaded after libtorch_cuda.so.
#include <ATen/cuda/CUDAGraph.h>

#include <chrono>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

extern "C" {

/// A c10d::Backend*, of which the caller has a reference. `store` is a c10d::Store*.
[[gnu::visibility("default")]] void* alambic_nccl(void* store, int rank, int size, const char* name,
                                                  int64_t timeout_ms) {
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->group_name = name;
  options->timeout = std::chrono::milliseconds(timeout_ms);
  c10::intrusive_ptr<c10d::Backend> backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(
      c10::intrusive_ptr<c10d::Store>::reclaim_copy(static_cast<c10d::Store*>(store)), rank, size,
      options);
  return backend.release();
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
