#include "alambic/kernels/device_graph.h"

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "alambic/base/environment.h"
#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/kernels/device.h"
#include "alambic/tensor/by_device_type.h"
#include "alambic/tensor/device.h"
#include "alambic/tensor/device_library.h"

namespace alambic::kernels {

namespace {

GraphFunctions& graphs_by_type(at::DeviceType type) {
  static ByDeviceType<GraphFunctions> functions;
  return functions[type];
}

thread_local bool records = false;

// The stream on which a thread records: no default one can. What libtorch keeps for a stream it
// keeps once.
c10::Stream recording_stream(at::Device device) {
  thread_local std::optional<c10::Stream> stream;
  if (!stream || stream->device() != device) {
    const c10::impl::VirtualGuardImpl guard(device.type());
    stream = guard.getStreamFromGlobalPool(device, /*isHighPriority=*/false);
  }
  return *stream;
}

// Why a GPU has no graphs; empty: it has.
std::string open_cuda_graphs() {
  const DeviceLibrary library("libalambic_cuda_torch.so");
  if (!library.problem().empty()) return library.problem();
  const GraphFunctions found = {.begin = library.function<void*(void*)>("alambic_graph_begin"),
                                .end = library.function<void(void*)>("alambic_graph_end"),
                                .replay = library.function<void(void*)>("alambic_graph_replay"),
                                .free = library.function<void(void*)>("alambic_graph_free")};
  if (found.begin == nullptr || found.end == nullptr || found.replay == nullptr ||
      found.free == nullptr) {
    return library.path() + " is of another build: it shows no functions for graphs";
  }
  use_device_graphs(at::kCUDA, found);
  return "";
}

}  // namespace

void use_device_graphs(at::DeviceType type, const GraphFunctions& functions) {
  graphs_by_type(type) = functions;
}

const GraphFunctions& device_graphs(at::DeviceType type) { return graphs_by_type(type); }

bool records_graphs(at::Device device) { return device_graphs(device.type()).begin != nullptr; }

void open_device_graphs(at::Device device) {
  if (device.is_cpu()) return;
  if (environment_choice("ALAMBIC_GRAPHS", {"none"},
                         "passes of decoding are recorded where they can be")) {
    return use_device_graphs(device.type(), {});
  }
  if (!device.is_cuda() || records_graphs(device) || device_kernels(device) == nullptr) return;
  const std::string reason = open_cuda_graphs();
  if (reason.empty()) return;
  warn(
      "device {} records no passes of decoding: {}; each of their kernels is launched by itself, "
      "and small batches wait for the host (docs/gpu.md)",
      device.str(), reason);
}

void not_to_be_recorded(const char* what) {
  if (records) throw NotRecorded(what);
}

void warm_up_to_record(at::Device device, const std::function<void()>& enqueue) {
  synchronize(device);
  const c10::StreamGuard guard(recording_stream(device));
  enqueue();
  synchronize(device);
}

DeviceGraph::DeviceGraph(at::Device device, const std::function<void()>& enqueue,
                         const DeviceGraph* shares)
    : functions_(device_graphs(device.type())) {
  check(functions_.begin != nullptr, "device {} records no graphs", device.str());
  synchronize(device);
  const c10::StreamGuard guard(recording_stream(device));
  graph_ = functions_.begin(shares == nullptr ? nullptr : shares->graph_);
  records = true;
  std::exception_ptr failure;
  try {
    enqueue();
  } catch (...) {
    failure = std::current_exception();
  }
  records = false;
  try {
    functions_.end(graph_);
  } catch (...) {
    // After a failure the device says once more that there was one.
    if (!failure) failure = std::current_exception();
  }
  if (!failure) return;
  functions_.free(graph_);
  std::rethrow_exception(failure);
}

DeviceGraph::~DeviceGraph() { functions_.free(graph_); }

void DeviceGraph::replay() const { functions_.replay(graph_); }

}  // namespace alambic::kernels
