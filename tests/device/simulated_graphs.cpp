#include "tests/device/simulated_graphs.h"

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/device/simulated_device.h"
#include "tests/device/simulated_memory.h"
#include "tests/device/simulated_streams.h"

namespace alambic::simulated {

namespace {

struct Graph {
  std::vector<std::function<void()>> steps;
  std::shared_ptr<Memory::Pool> pool;
  Memory::Contents before;  // while it is recorded
};

thread_local Graph* recorded = nullptr;
std::atomic<int64_t> replayed = 0;

void* begin(void* shares) {
  refuse_while_recording("a second recording");
  if (current_stream().id() == 0) throw std::runtime_error("the default stream cannot record");
  wait_for_all_streams();
  auto* graph = new Graph;
  graph->pool =
      shares == nullptr ? std::make_shared<Memory::Pool>() : static_cast<Graph*>(shares)->pool;
  graph->before = Memory::of_device().contents();
  Memory::of_device().take_from(graph->pool);
  recorded = graph;
  return graph;
}

void end(void* /*graph*/) {
  Memory::of_device().take_from(nullptr);
  Memory::of_device().restore(std::exchange(recorded->before, {}));
  recorded = nullptr;
}

void replay(void* graph) {
  refuse_while_recording("a replay");
  ++replayed;
  count_kernels(1);
  wait_for(current_stream());
  const at::NoGradGuard no_gradient;
  for (const auto& step : static_cast<Graph*>(graph)->steps) step();
}

void free_graph(void* graph) { delete static_cast<Graph*>(graph); }

}  // namespace

bool is_recording() { return recorded != nullptr; }

void record_step(std::function<void()> step) {
  if (recorded != nullptr) recorded->steps.push_back(std::move(step));
}

void refuse_while_recording(const char* what) {
  if (recorded == nullptr) return;
  throw std::runtime_error(std::string("not permitted while a stream records: ") + what);
}

void use_graphs() {
  kernels::use_device_graphs(kType,
                             {.begin = begin, .end = end, .replay = replay, .free = free_graph});
}

int64_t replays() { return replayed; }

}  // namespace alambic::simulated
