#include "alambic/jobs/serving.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "alambic/base/log.h"
#include "alambic/jobs/hosted_models.h"
#include "alambic/jobs/model_engine.h"
#include "alambic/jobs/policy_gate.h"
#include "alambic/serve/listener.h"
#include "alambic/serve/server.h"
#include "alambic/serve/server_key.h"
#include "alambic/train/stop_signal.h"

namespace alambic {

namespace {

using Clock = std::chrono::steady_clock;

void check_address(const ServeOptions& options) {
  const bool loopback = options.host == "localhost" || options.host.starts_with("127.");
  if (loopback || !options.key_env.empty()) return;
  throw input_error("--host {} is open to other machines, and there is no key", options.host)
      .with_hint("choose a key, put it into an environment variable and name that with --key-env");
}

std::vector<ModelEngine> engines_of(const std::vector<std::unique_ptr<HostedModel>>& models,
                                    const ServeOptions& options) {
  std::vector<ModelEngine> engines;
  for (const std::unique_ptr<HostedModel>& model : models) {
    EngineSetup setup = model->engine_setup();
    setup.index = engines.size();
    setup.batch = options.batch;
    engines.emplace_back(std::move(setup));
  }
  return engines;
}

bool work_once(std::vector<ModelEngine>& engines, WorkQueue& queue, ServerMetrics& metrics) {
  bool worked = false;
  int64_t running = 0, cached = 0, cache = 0;
  for (ModelEngine& engine : engines) {
    worked |= engine.work(queue, metrics);
    running += engine.running();
    cached += engine.cached_tokens();
    cache += engine.cache_tokens();
  }
  metrics.running = running;
  metrics.cached_tokens = cached;
  metrics.cache_tokens = cache;
  return worked;
}

// Gives the listener the time to send what is there.
void wait_for_calls(const Listener& listener, std::chrono::milliseconds longest) {
  const Clock::time_point end = Clock::now() + longest;
  while (listener.open_calls() > 0 && Clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void run(std::vector<ModelEngine>& engines, WorkQueue& queue, ServerMetrics& metrics,
         Listener& listener, int64_t drain_seconds) {
  const StopSignal signal;
  while (!signal.requested()) {
    if (!work_once(engines, queue, metrics)) queue.wait(std::chrono::milliseconds(50));
  }
  queue.close();
  listener.close_door();
  const Clock::time_point end = Clock::now() + std::chrono::seconds(drain_seconds);
  say("stopping: {} answers are finished first, for at most {} s", listener.open_calls(),
      drain_seconds);
  while (Clock::now() < end && listener.open_calls() > 0) {
    if (!work_once(engines, queue, metrics)) queue.wait(std::chrono::milliseconds(10));
  }
  const std::string reason = "the server stopped before the answer was complete";
  for (ModelEngine& engine : engines) engine.fail_all(reason);
  queue.fail_waiting(reason);
  wait_for_calls(listener, std::chrono::seconds(2));
}

}  // namespace

void jobs::serve(const ServeOptions& options,
                 const std::function<void(const std::string&)>& on_ready) {
  check_address(options);
  ask_policy(options);
  ServerOptions server_options{.key = take_key(options.key_env), .run = options.run};
  const std::vector<std::unique_ptr<HostedModel>> models = load_hosted_models(options);
  std::vector<ModelEngine> engines = engines_of(models, options);
  std::vector<ServedModel> served;
  for (const std::unique_ptr<HostedModel>& model : models) served.push_back(model->served());
  WorkQueue queue({.waiting = options.max_waiting, .waiting_tokens = options.max_waiting_tokens});
  ServerMetrics metrics;
  Server server(std::move(server_options), std::move(served), queue, metrics);
  Listener listener(
      {.host = options.host, .port = options.port, .body_bytes = options.max_body_bytes},
      server.service());
  on_ready(fmt::format("http://{}:{}", options.host, listener.port()));
  run(engines, queue, metrics, listener, options.drain_seconds);
}

}  // namespace alambic
