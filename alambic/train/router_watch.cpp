#include "alambic/train/router_watch.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/nn/moe.h"

namespace alambic {

void RouterWatch::start() const {
  for (Router* router : routers) router->load = std::make_shared<RouterLoad>();
}

namespace {

// The loads of all ranks; one to which no token came has no tensors yet.
void add_ranks(const World& world, const std::vector<std::shared_ptr<RouterLoad>>& loads) {
  if (world.alone()) return;
  for (const auto& load : loads) {
    const int64_t own = load->chosen_E.defined() ? load->chosen_E.numel() : 0;
    int64_t experts = 0;
    for (const std::string& bytes : world.gather(fmt::format("{}", own), "counting experts")) {
      experts = std::max<int64_t>(experts, std::stoll(bytes));
    }
    if (experts == 0) continue;
    for (Tensor* counts_E : {&load->chosen_E, &load->shares_E}) {
      if (!counts_E->defined()) *counts_E = at::zeros({experts}, at::kDouble);
    }
    world.sum({load->chosen_E, load->shares_E}, "adding the experts' loads");
    load->tokens = world.sum(load->tokens, "adding the experts' loads");
  }
}

}  // namespace

Metrics RouterWatch::finish(const World& world) const {
  if (routers.empty()) return {};
  std::vector<std::shared_ptr<RouterLoad>> loads;
  for (Router* router : routers) loads.push_back(std::exchange(router->load, nullptr));
  add_ranks(world, loads);
  const LoadBalance balance = balance_of(loads);
  return {{"load_balance", balance.value}, {"largest_expert_share", balance.largest_share}};
}

}  // namespace alambic
