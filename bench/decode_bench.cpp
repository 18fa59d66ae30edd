// Our side of bench/decode.py: reads one request per line from standard input, completions with one
// line of JSON.
//   {"prompts": [[1, 2], …], "new_tokens": 128, "temperature": 0, "seed": 1}
//   → {"seconds": 0.5, "tokens": [[…], …]}
// Usage: decode_bench MODEL THREADS float32|bfloat16
#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <iostream>

#include "alambic/base/error.h"
#include "alambic/model/load.h"
#include "alambic/rollout/engine.h"

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

int run(const std::string& folder, int threads, bool narrow) {
  at::set_num_threads(threads);
  const std::unique_ptr<Model> model =
      load_model(folder, {.dtype = narrow ? at::kBFloat16 : at::kFloat, .frozen = true});
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << completion(*model, Json::parse(line)) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace alambic

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: decode_bench MODEL THREADS float32|bfloat16\n");
    return 2;
  }
  try {
    return alambic::run(argv[1], std::stoi(argv[2]), argv[3] == std::string("bfloat16"));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
