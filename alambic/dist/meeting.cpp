#include "alambic/dist/meeting.h"

#include <fmt/format.h>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

namespace alambic {

c10::intrusive_ptr<c10d::Store> meet(const LaunchEnvironment& place,
                                     std::chrono::milliseconds timeout, bool as_guest) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(place.port);
  options.isServer = place.rank == 0 && !place.agent_store && !as_guest;
  options.numWorkers = place.size;
  options.waitWorkers = !place.agent_store && !as_guest;
  options.multiTenant = true;
  options.timeout = timeout;
  return c10::make_intrusive<c10d::PrefixStore>(
      fmt::format("alambic/{}", place.attempt),
      c10::make_intrusive<c10d::TCPStore>(place.host, options));
}

}  // namespace alambic
