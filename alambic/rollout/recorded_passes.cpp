#include "alambic/rollout/recorded_passes.h"

#include <algorithm>
#include <bit>
#include <mutex>
#include <set>

#include "alambic/base/log.h"

namespace alambic {

namespace {

/// Passes of a kind that are enqueued before one is recorded, which costs about as much as some.
constexpr int64_t kBefore = 8;
/// Bounds are powers of two from here on: the entries of one part of the attention's kernel.
constexpr int64_t kLeastBound = 256;

// A run makes a generation at every step: what is said of a family is said once.
void say_once(const std::string& message) {
  static std::mutex mutex;
  static std::set<std::string> said;
  const std::scoped_lock lock(mutex);
  if (said.insert(message).second) say(message);
}

}  // namespace

RecordedPasses::RecordedPasses(at::Device device, int64_t slots, int64_t capacity, std::string name)
    : device_(device),
      slots_(slots),
      capacity_(capacity),
      name_(std::move(name)),
      records_(kernels::records_graphs(device)) {}

void RecordedPasses::forget() {
  for (auto& [rows, own] : by_rows_) {
    for (auto& [bound, recording] : own.by_bound) recording.graph.reset();
  }
  first_ = nullptr;
}

int64_t RecordedPasses::rows(int64_t sequences) const {
  if (!records_) return sequences;
  const int64_t some = sequences <= 2 ? sequences : sequences <= 4 ? 4 : (sequences + 7) / 8 * 8;
  return std::min(some, slots_);
}

Tensor RecordedPasses::placed(const Tensor& numbers) {
  if (!records_) return numbers.to(device_);
  Tensor& there = by_rows_[numbers.size(1)].numbers;
  if (there.defined()) {
    there.copy_(numbers);
  } else {
    there = numbers.to(device_);
  }
  return there;
}

int64_t RecordedPasses::bound_of(int64_t longest) const {
  const auto power = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(longest)));
  return std::min(std::max(power, kLeastBound), capacity_);
}

void RecordedPasses::record(Recording& recording, const std::function<void()>& pass) {
  kernels::warm_up_to_record(device_, pass);
  const auto give_up = [&](const char* mark, const char* why) {
    records_ = false;
    say_once(fmt::format("{}passes of {} are enqueued one kernel after another, not recorded: {}",
                         mark, name_, why));
  };
  try {
    recording.graph = std::make_unique<kernels::DeviceGraph>(device_, pass, first_);
    if (first_ == nullptr) first_ = recording.graph.get();
  } catch (const kernels::NotRecorded& why) {
    give_up("", why.what());
  } catch (const std::exception& why) {
    // Nothing has been done: what is slower is right all the same.
    give_up("warning: ", why.what());
  }
}

void RecordedPasses::run(int64_t longest, const Tensor& drawn, const OnePass& pass) {
  if (!records_) return pass(0, drawn);
  const int64_t bound = bound_of(longest);
  OfRows& own = by_rows_[drawn.size(1)];
  Recording& recording = own.by_bound[bound];
  if (recording.graph != nullptr) {
    recording.graph->replay();
  } else if (recording.passes++ < kBefore) {
    return pass(bound, drawn);
  } else {
    if (!own.drawn.defined()) own.drawn = at::empty_like(drawn);
    record(recording, [&] { pass(bound, own.drawn); });
  }
  Tensor(drawn).copy_(own.drawn);
}

}  // namespace alambic
