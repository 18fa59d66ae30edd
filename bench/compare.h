// Two ways to do the same work, timed in turn.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>

namespace alambic::bench {

using Work = std::function<void()>;

inline double seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Times ours and libtorch's in turn; one iteration is enough work of each to be timed.
inline void compare(const std::string& name, double flops, double bytes, const Work& ours,
                    const Work& plain, const char* plain_name = "libtorch_us") {
  benchmark::RegisterBenchmark(name.c_str(),
                               [=](benchmark::State& state) {
                                 ours();
                                 plain();
                                 const double once =
                                     std::max(1e-7, std::min(seconds(ours), seconds(plain)));
                                 const int repeats = std::max(1, static_cast<int>(1e-4 / once));
                                 auto time = [repeats](const Work& work) {
                                   return seconds([&] {
                                            for (int i = 0; i < repeats; ++i) work();
                                          }) /
                                          repeats;
                                 };
                                 double best = 1e9, best_plain = 1e9;
                                 for (auto _ : state) {
                                   best_plain = std::min(best_plain, time(plain));
                                   best = std::min(best, time(ours));
                                   state.SetIterationTime(best);
                                 }
                                 state.counters["us"] = best * 1e6;
                                 state.counters[plain_name] = best_plain * 1e6;
                                 state.counters["ratio"] = best_plain / best;
                                 if (flops > 0) state.counters["GFLOP/s"] = flops / best * 1e-9;
                                 if (bytes > 0) state.counters["GB/s"] = bytes / best * 1e-9;
                               })
      ->UseManualTime()
      ->Iterations(40);
}

}  // namespace alambic::bench
