// Slots and pages of a device's sequences, on the CPU and without a model.
#include "alambic/rollout/device_slots.h"

#include <gtest/gtest.h>

namespace alambic::device_slots_test {
namespace {

struct Sequences {
  int64_t slots, shared, prompt, completion;
  std::vector<Request> requests = {};
  std::vector<Completion> completions = {};
  std::shared_ptr<KvPages> pages = std::make_shared<KvPages>(slots, cache_page);
  KvCache cache = {{.layers = 1, .kv_heads = 1, .head_width = 1},
                   slots,
                   prompt + completion - 1 + passes_per_read - 1,
                   at::TensorOptions().dtype(at::kFloat),
                   pages};

  // Reads all prompts and writes completions of the greatest length.
  void write_all() {
    for (int64_t i = 0; i < slots; ++i) {
      requests.push_back({std::vector<int32_t>(prompt, static_cast<int32_t>(i / shared)),
                          static_cast<uint64_t>(i)});
    }
    completions.resize(requests.size());
    DeviceSlots running(requests, completions, pages, {&cache}, passes_per_read, at::kCPU);
    while (!running.begin(4096).tokens.empty()) {
    }
    ASSERT_EQ(std::ssize(running.running()), slots);
    for (int64_t length = prompt; length < prompt + completion - 1; length += passes_per_read) {
      for (int64_t& each : cache.lengths) each = length;
      EXPECT_NE(running.make_room(passes_per_read), DeviceSlots::Changed::sequences);
      EXPECT_EQ(std::ssize(running.page_table(slots)), slots * running.pages_of_slot());
    }
    EXPECT_EQ(cache.layers[0].keys.size(0), pages->count());
  }
};

// Prevents a plan of memory (`check`, `scale`) that counts less than what is taken, or slots that
// are as long as the longest.
TEST(DeviceSlots, TakeWhatThePlanCounts) {
  for (const auto& [slots, shared, prompt, completion] :
       {std::array<int64_t, 4>{1, 1, 1, 1}, {8, 8, 500, 20}, {8, 4, 70, 300}, {16, 1, 40, 200}}) {
    Sequences some{slots, shared, prompt, completion};
    some.write_all();
    const double plan = cached_tokens(static_cast<double>(slots), static_cast<double>(shared),
                                      static_cast<double>(prompt), static_cast<double>(completion));
    EXPECT_LE(static_cast<double>((some.pages->count() - 1) * cache_page), plan) << prompt;
    EXPECT_LE(plan, 1.1 * static_cast<double>(slots * (prompt + completion)) + 96 * slots);
  }
  EXPECT_LT(cached_tokens(8, 8, 500, 20), 0.4 * 8 * 520);
}

}  // namespace
}  // namespace alambic::device_slots_test
