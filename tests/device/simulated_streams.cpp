#include "tests/device/simulated_streams.h"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "tests/device/simulated_device.h"

namespace alambic::simulated {

namespace {

// Long enough that a host which does not wait reads what was there before.
constexpr auto kDelay = std::chrono::milliseconds(2);

class Lane {
 public:
  int64_t push(std::function<void()> work) {
    const std::scoped_lock lock(mutex_);
    if (!worker_.joinable()) worker_ = std::thread([this] { work_off(); });
    tasks_.push_back(std::move(work));
    changed_.notify_all();
    return ++given_;
  }
  int64_t given() const { return given_; }
  bool is_done(int64_t ticket) const { return done_ >= ticket; }
  void wait(int64_t ticket) {
    if (is_done(ticket)) return;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_done(ticket); });
  }

 private:
  void work_off() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return !tasks_.empty(); });
      std::function<void()> work = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      std::this_thread::sleep_for(kDelay);
      work();
      work = {};  // what it held goes before anybody who waits goes on
      lock.lock();
      ++done_;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  std::atomic<int64_t> given_ = 0, done_ = 0;
  std::thread worker_;
};

constexpr int64_t kLanes = 4;

Lane& lane(int64_t id) {
  static auto* lanes = new std::array<Lane, kLanes>;  // their workers outlive main()
  return lanes->at(static_cast<size_t>(id));
}

struct Event {
  int64_t stream = 0, ticket = 0;
};

c10::Stream stream_of(int64_t id) { return c10::Stream(c10::Stream::UNSAFE, kDevice, id); }

thread_local int64_t current = 0;

}  // namespace

void* handle_of(c10::Stream stream) {
  return reinterpret_cast<void*>(static_cast<intptr_t>(stream.id() + 1));
}

c10::Stream stream_of(void* handle) {
  return stream_of(static_cast<int64_t>(reinterpret_cast<intptr_t>(handle)) - 1);
}

c10::Stream current_stream() { return stream_of(current); }

c10::Stream exchange_stream(c10::Stream stream) {
  return stream_of(std::exchange(current, stream.id()));
}

c10::Stream next_stream() {
  static std::atomic<int64_t> taken = 0;
  return stream_of(1 + taken++ % (kLanes - 1));
}

void enqueue(c10::Stream stream, std::function<void()> work) {
  lane(stream.id()).push(std::move(work));
}

bool is_done(c10::Stream stream) {
  Lane& own = lane(stream.id());
  return own.is_done(own.given());
}

void wait_for(c10::Stream stream) {
  Lane& own = lane(stream.id());
  own.wait(own.given());
}

void wait_for_all_streams() {
  for (int64_t id = 0; id < kLanes; ++id) wait_for(stream_of(id));
}

void* record_event(void* event, c10::Stream stream) {
  if (event == nullptr) event = new Event;
  *static_cast<Event*>(event) = {stream.id(), lane(stream.id()).given()};
  return event;
}

void let_wait(c10::Stream stream, const void* event) {
  const Event recorded = *static_cast<const Event*>(event);
  if (recorded.stream == stream.id()) return;
  enqueue(stream, [recorded] { lane(recorded.stream).wait(recorded.ticket); });
}

bool is_done(const void* event) {
  const auto* recorded = static_cast<const Event*>(event);
  return event == nullptr || lane(recorded->stream).is_done(recorded->ticket);
}

void wait_for(const void* event) {
  if (event == nullptr) return;
  const auto* recorded = static_cast<const Event*>(event);
  lane(recorded->stream).wait(recorded->ticket);
}

void destroy_event(void* event) { delete static_cast<Event*>(event); }

}  // namespace alambic::simulated
