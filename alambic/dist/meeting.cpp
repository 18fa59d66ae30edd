#include "alambic/dist/meeting.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "alambic/base/log.h"

namespace alambic {
namespace {

// Says whom rank 0 waits for, where they do not come at once and it still lives.
class WaitingNotice {
 public:
  WaitingNotice(const LaunchEnvironment& place, std::chrono::milliseconds timeout)
      : thread_([place, timeout](const std::stop_token& ended) {
          std::mutex mutex;
          std::unique_lock lock(mutex);
          const auto patience =
              std::min<std::chrono::milliseconds>(std::chrono::seconds(10), timeout / 4);
          std::condition_variable_any never;
          never.wait_for(lock, ended, patience, [] { return false; });
          if (ended.stop_requested()) return;
          say("waiting at {}:{} for the other ranks of {}, {} in all, up to {} s", place.host,
              place.port, place.source, place.size,
              std::chrono::round<std::chrono::seconds>(timeout).count());
        }) {}

 private:
  std::jthread thread_;
};

}  // namespace

c10::intrusive_ptr<c10d::Store> meet(const LaunchEnvironment& place,
                                     std::chrono::milliseconds timeout, bool as_guest) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(place.port);
  options.isServer = place.rank == 0 && !place.agent_store && !as_guest;
  options.numWorkers = place.size;
  options.waitWorkers = !place.agent_store && !as_guest;
  options.multiTenant = true;
  options.timeout = timeout;
  std::optional<WaitingNotice> notice;
  if (place.rank == 0 && !as_guest) notice.emplace(place, timeout);
  return c10::make_intrusive<c10d::PrefixStore>(
      fmt::format("alambic/{}", place.attempt),
      c10::make_intrusive<c10d::TCPStore>(place.host, options));
}

}  // namespace alambic
