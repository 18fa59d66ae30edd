// Routing of (token, expert) pairs, and rows to their experts and back.
#include <numeric>
#include <random>

#include "tests/cuda/memory.h"

namespace alambic::kernels::moe_test {
namespace {

using namespace alambic::test;

struct Routed {
  std::vector<int32_t> counts, ends, order, place;
};

std::vector<int64_t> some_experts(int64_t pairs, int64_t E, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<int64_t> experts(pairs);
  for (int64_t& e : experts) e = random() % (E + 1) % E;  // uneven, and some experts have none
  return experts;
}

Routed routed(const std::vector<int64_t>& experts, int64_t E) {
  const auto pairs = static_cast<int64_t>(experts.size());
  Memory<int64_t> given(experts);
  Memory<int32_t> counts(E), ends(E), order(pairs), place(pairs), scratch(route_scratch(pairs, E));
  in_both_orders([&] {
    under_test().route({given.data(), pairs, E, counts.data(), ends.data(), order.data(),
                        place.data(), scratch.data()},
                       nullptr);
    return order.values();
  });
  return {counts.values(), ends.values(), order.values(), place.values()};
}

TEST(DeviceRoute, OrdersPairsByExpertStably) {
  for (const int64_t E : {1, 8, 300, 1024}) {
    for (const int64_t pairs : {1, 255, 257, 700}) {
      const auto experts = some_experts(pairs, E, static_cast<unsigned>(pairs + E));
      const Routed found = routed(experts, E);
      std::vector<int32_t> order(pairs), counts(E), ends(E);
      std::iota(order.begin(), order.end(), 0);
      std::ranges::stable_sort(order, {}, [&](int32_t j) { return experts[j]; });
      for (const int64_t e : experts) ++counts[e];
      std::partial_sum(counts.begin(), counts.end(), ends.begin());
      EXPECT_EQ(found.order, order) << E << " " << pairs;
      EXPECT_EQ(found.counts, counts);
      EXPECT_EQ(found.ends, ends);
      for (int64_t p = 0; p < pairs; ++p) EXPECT_EQ(found.place[found.order[p]], p);
    }
  }
}

TEST(DeviceMoe, RowsGoToTheirExpertsAndComeBackWeighed) {
  const int64_t N = 9, k = 3, D = 37, E = 5;
  for (const DeviceNumber type : both_types) {
    const Routed places = routed(some_experts(N * k, E, 2), E);
    Memory<int32_t> order(places.order), place(places.place);
    std::vector<float> weights;
    for (const double w : normal(N * k, 4)) weights.push_back(static_cast<float>(w));
    Memory<float> weight(weights), dweight(N * k);
    Numbers x(type, normal(N * D, 1)), gathered(type, N * k * D), base(type, normal(N * D, 5));
    Numbers y(type, N * D), dy(type, normal(N * D, 6)), dfrom(type, N * k * D);
    DeviceMoe job = {.from = x.data(),
                     .order = order.data(),
                     .place = place.data(),
                     .weight = weight.data(),
                     .base = base.data(),
                     .to = gathered.data(),
                     .dto = dy.data(),
                     .dfrom = dfrom.data(),
                     .dweight = dweight.data(),
                     .N = N,
                     .k = k,
                     .D = D,
                     .type = type};
    in_both_orders([&] {
      job.from = x.data();
      job.to = gathered.data();
      under_test().moe_gather(job, nullptr);
      job.from = gathered.data();
      job.to = y.data();
      under_test().moe_combine(job, nullptr);
      under_test().moe_combine_grad(job, nullptr);
      return y.values();
    });
    const auto from = x.values(), b = base.values(), g = dy.values(), there = gathered.values();
    std::vector<double> sum = b, grad(N * k * D), dots(N * k);
    for (int64_t j = 0; j < N * k; ++j) {
      for (int64_t d = 0; d < D; ++d) {
        const double number = from[j / k * D + d];
        EXPECT_EQ(there[places.place[j] * D + d], number);
        sum[j / k * D + d] += static_cast<double>(weights[j]) * number;
        grad[places.place[j] * D + d] = static_cast<double>(weights[j]) * g[j / k * D + d];
        dots[j] += g[j / k * D + d] * number;
      }
    }
    EXPECT_LT(error(y.values(), sum), tolerance(type));
    EXPECT_LT(error(dfrom.values(), grad), tolerance(type));
    const auto found = dweight.values();
    EXPECT_LT(error({found.begin(), found.end()}, dots), 2e-6);
  }
}

}  // namespace
}  // namespace alambic::kernels::moe_test
