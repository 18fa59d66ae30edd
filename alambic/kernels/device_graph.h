// What a device is given to do, recorded once and done again in one launch: CUDA graphs.
#pragma once

#include <functional>
#include <stdexcept>

#include "alambic/tensor/tensor.h"

namespace alambic::kernels {

/// How devices of one type record; a GPU's functions are kernels/cuda/glue.cpp's.
struct GraphFunctions {
  /// Begins to record what this thread gives to its current stream. `shares`: a graph whose memory
  /// this one may use as well, since the two are never done at a time; or null.
  void* (*begin)(void* shares) = nullptr;
  /// Whatever it throws, nothing is recorded any more.
  void (*end)(void* graph) = nullptr;
  void (*replay)(void* graph) = nullptr;
  void (*free)(void* graph) = nullptr;
};

/// From now on devices of that type record by these; null functions: they do not.
void use_device_graphs(at::DeviceType type, const GraphFunctions& functions);
const GraphFunctions& device_graphs(at::DeviceType type);
bool records_graphs(at::Device device);

/// Makes a GPU's ready that has kernels of ours, by libalambic_cuda_torch.so beside this library;
/// without it a warning says what is slower. The environment variable ALAMBIC_GRAPHS: "none" does
/// without them.
void open_device_graphs(at::Device device);

/// Why something cannot be recorded: what it does depends on what the host knows or reads.
struct NotRecorded : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws NotRecorded where this thread records. `what` it does: "it asks …".
void not_to_be_recorded(const char* what);

/// Does it on the stream on which this thread records, and waits for it: what libtorch keeps for a
/// stream, a workspace of products, and kernels that CUDA loads when they are first started, are
/// there then. While a stream records it is too late for them.
void warm_up_to_record(at::Device device, const std::function<void()>& enqueue);

/// A recording. While it is made nothing is done, and the device can neither be read nor given
/// something by the host; what is made then lies in memory that is the graph's while it lives. It
/// reads and writes the memory of the tensors that it was made with, which must live as long.
class DeviceGraph {
 public:
  /// Throws what `enqueue` throws, or what the device says; the device can be used after both.
  DeviceGraph(at::Device device, const std::function<void()>& enqueue,
              const DeviceGraph* shares = nullptr);
  ~DeviceGraph();
  DeviceGraph(const DeviceGraph&) = delete;
  DeviceGraph& operator=(const DeviceGraph&) = delete;

  /// Enqueues all of it on the current stream.
  void replay() const;

 private:
  const GraphFunctions functions_;
  void* graph_ = nullptr;
};

}  // namespace alambic::kernels
