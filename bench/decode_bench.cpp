// Our side of bench/decode.py: reads one request per line from standard input, completions with one
// line of JSON.
//   {"prompts": [[1, 2], …], "new_tokens": 128, "temperature": 0, "seed": 1}
//   → {"seconds": 0.5, "tokens": [[…], …]}
//   {"ceiling": true} → {"bytes": 4e10, "operations": 2e11}, what the machine can do a second
// Usage: decode_bench MODEL THREADS float32|bfloat16 [DEVICE]
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <limits>

#include "alambic/base/error.h"
#include "alambic/kernels/linear.h"
#include "alambic/model/load.h"
#include "alambic/rollout/engine.h"
#include "alambic/tensor/device.h"

namespace alambic {
namespace {

Json completion(const Model& model, const Json& order) {
  std::vector<Request> requests;
  for (const auto& prompt : order["prompts"]) requests.push_back({prompt, requests.size()});
  const EngineOptions options{
      .sampling = {.temperature = order["temperature"], .max_new_tokens = order["new_tokens"]},
      .batch = std::ssize(requests),
      .seed = order["seed"]};
  const auto start = std::chrono::steady_clock::now();
  const std::vector<Completion> completions = generate(model, requests, options);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  Json reply = {{"seconds", seconds.count()}, {"tokens", Json::array()}};
  for (const Completion& a : completions) reply["tokens"].push_back(a.tokens);
  return reply;
}

template <typename Work>
double best_seconds(const Work& work) {
  double best = std::numeric_limits<double>::infinity();
  for (int round = 0; round < 9; ++round) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::min(best, seconds.count());
  }
  return best;
}

// Memory that is read once, far larger than the caches, and a product of float32, each in the
// better of two ways: libtorch's libraries are slow on some processors.
Json ceiling() {
  constexpr int64_t numbers = int64_t{1} << 27, width = 2048;
  const Tensor memory = at::ones({numbers}), a = at::randn({width, width}), b = a + 1;
  const Tensor rows = memory.view({-1, width}), row = at::ones({1, width});
  Tensor c = at::empty_like(a);
  const double read = std::min(best_seconds([&] { c = memory.sum(); }),
                               best_seconds([&] { c = kernels::product(row, rows.t()); }));
  const double multiplied = std::min(best_seconds([&] { c = at::mm(a, b); }),
                                     best_seconds([&] { c = kernels::product(a, b); }));
  return {{"bytes", 4.0 * static_cast<double>(numbers) / read},
          {"operations", 2.0 * width * width * width / multiplied}};
}

int run(const std::string& folder, int threads, bool narrow, const std::string& device) {
  at::set_num_threads(threads);
  const std::unique_ptr<Model> model =
      load_model(folder, {.device = choose_device(device),
                          .dtype = narrow ? at::kBFloat16 : at::kFloat,
                          .frozen = true});
  for (std::string line; std::getline(std::cin, line);) {
    const Json order = Json::parse(line);
    std::cout << (order.contains("ceiling") ? ceiling() : completion(*model, order)) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace alambic

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    fmt::print(stderr, "usage: decode_bench MODEL THREADS float32|bfloat16 [DEVICE]\n");
    return 2;
  }
  try {
    return alambic::run(argv[1], std::stoi(argv[2]), argv[3] == std::string("bfloat16"),
                        argc > 4 ? argv[4] : "cpu");
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
