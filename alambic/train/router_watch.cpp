#include "alambic/train/router_watch.h"

#include "alambic/nn/moe.h"

namespace alambic {

void RouterWatch::start() const {
  for (Router* router : routers) router->load = std::make_shared<RouterLoad>();
}

Metrics RouterWatch::finish() const {
  if (routers.empty()) return {};
  std::vector<std::shared_ptr<RouterLoad>> loads;
  for (Router* router : routers) loads.push_back(std::exchange(router->load, nullptr));
  const LoadBalance balance = balance_of(loads);
  return {{"load_balance", balance.value}, {"largest_expert_share", balance.largest_share}};
}

}  // namespace alambic
