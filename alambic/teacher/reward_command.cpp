#include "alambic/teacher/reward_command.h"

#include <atomic>
#include <charconv>
#include <cmath>
#include <thread>

#include "alambic/base/child_process.h"
#include "alambic/base/cpu_threads.h"
#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/printable.h"

namespace alambic {
namespace {

// The system refuses longer variables together with the command.
constexpr size_t kLongestVariable = 100'000;

Score parse_score(const std::string& output) {
  const size_t begin = output.find_first_not_of(" \t\r\n");
  if (begin == output.npos) return dropped_score("the command printed nothing");
  const size_t end = output.find_last_not_of(" \t\r\n") + 1;
  float value = 0;
  const auto [stop, error] = std::from_chars(output.data() + begin, output.data() + end, value);
  if (error != std::errc() || stop != output.data() + end || !std::isfinite(value)) {
    return dropped_score(fmt::format("the command printed '{}', expected one number",
                                     printable(output.substr(begin, end - begin))));
  }
  return {.value = value};
}

}  // namespace

CommandReward::CommandReward(std::string command, double seconds)
    : command_(std::move(command)), seconds_(seconds) {
  if (!can_take_network_away()) {
    warn("this system does not let the reward command be cut off from the network");
  }
}

Score CommandReward::run(const Attempt& attempt) const {
  std::vector<std::pair<std::string, std::string>> variables = {
      {"ALAMBIC_PROMPT", attempt.prompt.substr(0, kLongestVariable)}};
  if (attempt.expected) {
    variables.emplace_back("ALAMBIC_EXPECTED", attempt.expected->substr(0, kLongestVariable));
  }
  const ChildResult result =
      run_child(command_, attempt.completion, {.seconds = seconds_, .output = 4096}, variables);
  if (result.timed_out) {
    return dropped_score(fmt::format("the command did not end within {} s", seconds_));
  }
  if (result.output_too_long) return dropped_score("the command printed more than 4096 bytes");
  if (result.exit_code != 0) {
    return dropped_score(fmt::format("the command ended with exit code {}: {}", result.exit_code,
                                     printable(result.errors)));
  }
  return parse_score(result.output);
}

std::vector<Score> CommandReward::score(const std::vector<Attempt>& attempts) const {
  std::vector<Score> scores(attempts.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < attempts.size(); i = next++) {
      try {
        scores[i] = run(attempts[i]);
      } catch (const Error& error) {  // no more processes: this completion's bad luck
        scores[i] = dropped_score(error.what());
      }
    }
  };
  const size_t workers = std::min(attempts.size(), static_cast<size_t>(default_threads()));
  std::vector<std::jthread> threads;
  for (size_t i = 1; i < workers; ++i) threads.emplace_back(work);
  work();
  threads.clear();  // joins
  return scores;
}

}  // namespace alambic
