#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/free_port.h"
#include "alambic/base/launch_environment.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/base/process_group.h"
#include "alambic/cli/commands/launch_options.h"
#include "alambic/cli/run.h"

namespace alambic {
namespace {

/// What launch was told, by its options or by the variables of Kubeflow's trainer.
struct Plan {
  int64_t here = 1, nodes = 1, node_rank = 0, port = 0;
  std::string host;
};

int64_t number(const std::string& name, const std::string& text, int64_t min) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec == std::errc() && read.ptr == end && value >= min) return value;
  throw input_error("{} is \"{}\"; expected a number of at least {}", name, text, min);
}

// Devices that processes could have, by the driver's files.
int64_t nvidia_devices() {
  if (const auto chosen = environment_variable("CUDA_VISIBLE_DEVICES")) {
    return 1 + std::ranges::count(*chosen, ',');
  }
  int64_t count = 0;
  while (path_exists(fmt::format("/dev/nvidia{}", count))) ++count;
  return count;
}

// An option wins over Kubeflow's variable; the option's default does not.
std::string told(const std::string& option, const std::string& nothing, const char* variable) {
  return option == nothing ? environment_variable(variable).value_or(option) : option;
}

Plan plan_of(const LaunchOptions& options) {
  Plan plan;
  const std::string here = told(options.processes, "auto", "PET_NPROC_PER_NODE");
  const bool automatic = here == "auto" || here == "gpu" || here == "cpu";
  plan.here =
      automatic ? std::max<int64_t>(1, nvidia_devices()) : number("--nproc-per-node", here, 1);
  plan.nodes = number("--nnodes", told(fmt::format("{}", options.nodes), "1", "PET_NNODES"), 1);
  plan.node_rank =
      number("--node-rank", told(fmt::format("{}", options.node_rank), "0", "PET_NODE_RANK"), 0);
  plan.host = told(options.host, "", "PET_MASTER_ADDR");
  plan.port =
      number("--master-port", told(fmt::format("{}", options.port), "0", "PET_MASTER_PORT"), 0);
  if (plan.node_rank >= plan.nodes) {
    throw input_error("--node-rank {} of --nnodes {}: machines count from 0", plan.node_rank,
                      plan.nodes);
  }
  if (plan.nodes > 1 && plan.host.empty()) {
    throw input_error("--nnodes {} needs --master-addr, where the processes meet", plan.nodes)
        .with_hint("the name or address of machine 0, the same on every machine");
  }
  if (plan.host.empty()) plan.host = "127.0.0.1";
  return plan;
}

void check_command(const std::vector<std::string>& words) {
  if (words.empty()) {
    throw input_error("launch needs the command that its processes run")
        .with_hint("alambic launch --nproc-per-node 2 distill --student …");
  }
  if (words.front() == "distill" || words.front() == "train" || words.front() == "run") return;
  throw input_error("launch cannot run `{}`: its work is not divided between processes",
                    words.front())
      .with_hint("distill and train are; everything else runs as it is");
}

GroupProcess process_of(const Plan& plan, std::vector<std::string> words, int64_t local_rank,
                        int64_t attempt) {
  const int64_t rank = plan.node_rank * plan.here + local_rank;
  words.insert(words.begin(), "/proc/self/exe");
  const auto text = [](int64_t value) { return fmt::format("{}", value); };
  return {.words = std::move(words),
          .variables = {{"RANK", text(rank)},
                        {"WORLD_SIZE", text(plan.nodes * plan.here)},
                        {"LOCAL_RANK", text(local_rank)},
                        {"LOCAL_WORLD_SIZE", text(plan.here)},
                        {"MASTER_ADDR", plan.host},
                        {"MASTER_PORT", text(plan.port)},
                        {"TORCHELASTIC_USE_AGENT_STORE", "False"},
                        {"ALAMBIC_ATTEMPT", text(attempt)}},
          .name = rank == 0 ? "" : fmt::format("rank {}", rank)};
}

std::string ending_of(int code) {
  if (code <= 128) return fmt::format("exit code {}", code);
  return fmt::format("signal {} ({})", code - 128, ::strsignal(code - 128));
}

}  // namespace

int run(const LaunchOptions& options) {
  check_command(options.command);
  const Plan given = plan_of(options);
  std::vector<std::string> words = options.command;
  for (int64_t attempt = 0;; ++attempt) {
    Plan plan = given;
    if (plan.port == 0) plan.port = plan.nodes > 1 ? 29500 : free_port();
    std::vector<GroupProcess> processes;
    for (int64_t i = 0; i < plan.here; ++i) {
      processes.push_back(process_of(plan, words, i, attempt));
    }
    const GroupResult result = run_group(processes, static_cast<int>(Exit::stopped));
    if (result.exit_code == 0) return result.stopped ? static_cast<int>(Exit::stopped) : 0;
    const auto rank = plan.node_rank * plan.here + static_cast<int64_t>(result.failed);
    const std::string what = fmt::format("rank {} ended with {}, and the others with it", rank,
                                         ending_of(result.exit_code));
    const bool hopeless = result.exit_code == static_cast<int>(Exit::input) ||
                          result.exit_code == static_cast<int>(Exit::refused);
    if (attempt >= options.max_restarts || hopeless || result.interrupted) {
      say_error(what, "");
      return result.exit_code;
    }
    say("{}; start {} of {}", what, attempt + 2, options.max_restarts + 1);
    if (std::ranges::find(words, "--resume") == words.end()) {
      std::erase(words, "--overwrite");
      words.emplace_back("--resume");
    }
  }
}

}  // namespace alambic
