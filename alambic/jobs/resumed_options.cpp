#include "alambic/jobs/resumed_options.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/jobs/resumed_inputs.h"
#include "alambic/report/run_files.h"

namespace alambic {

namespace {

// "key = value" lines of a config.toml as the program writes it.
using Settings = std::map<std::string, std::string>;

Settings settings_of(const std::string& text) {
  Settings settings;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t equals = line.find(" = ");
    if (line.starts_with('#') || equals == std::string::npos) continue;
    settings[line.substr(0, equals)] = line.substr(equals + 3);
  }
  return settings;
}

std::string value_of(const Settings& settings, const std::string& key) {
  const auto found = settings.find(key);
  return found == settings.end() ? "" : found->second;
}

// Options that say nothing about what is computed.
bool is_free(const std::string& key) {
  constexpr std::array free = {"out",
                               "resume",
                               "overwrite",
                               "allow-change",
                               "save-every",
                               "keep-checkpoints",
                               "on-collapse",
                               "policy",
                               "attest",
                               "attested-by",
                               "override-policy",
                               "teacher-key-env",
                               "teacher-key-file",
                               "teacher-timeout",
                               "teacher-retries",
                               "teacher-in-flight-tokens",
                               "teacher-price",
                               "teacher-budget",
                               "teacher-budget-tokens",
                               "strict-teacher",
                               "teacher-local",
                               "judge-price",
                               "judge-budget",
                               "judge-budget-tokens",
                               "zero-stage",
                               "shard-size",
                               "tensor-parallel-size",
                               "expert-parallel-size",
                               "teacher-weights",
                               "teacher-ranks",
                               "rank-timeout",
                               "profile"};
  return std::ranges::find(free, key) != free.end();
}

// An option that the version which began the run did not have, and that asks for nothing.
bool is_nothing(const std::string& value) {
  return value == "false" || value == "0" || value == "\"\"" || value == "\"none\"" ||
         value == "[]";
}

// What else follows from an option that may change when it is asked for; "" where nothing does.
std::string consequence(const std::string& key, const Settings& now) {
  const bool rate_follows = value_of(now, "lr-schedule") != "\"constant\"";
  const bool looks_for_best =
      value_of(now, "load-best") == "true" || value_of(now, "early-stopping") != "0";
  if (key == "valid-every") return looks_for_best ? "other validations choose the best" : "";
  return rate_follows ? "the learning rate follows the length of the run and jumps" : "";
}

bool may_change(const std::string& key) {
  constexpr std::array lengths = {"max-steps", "max-seconds", "epochs", "valid-every"};
  return std::ranges::find(lengths, key) != lengths.end();
}

// "max-steps = 200 (100 before)"
std::string change(const std::string& key, const std::string& before, const std::string& now) {
  const auto shown = [](const std::string& value) { return value.empty() ? "none" : value; };
  return fmt::format("{} = {} ({} before)", key, shown(now), shown(before));
}

// What of the run would be another one, in words.
struct Differences {
  std::vector<std::string> refused;
  std::vector<std::string> changes;  // that --allow-change permits
  std::string reason;                // why it has to
};

Differences differences(const Settings& before, const Settings& now, const OptionTable& table,
                        ResumedInputs& inputs) {
  std::set<std::string> keys;
  for (const auto& [key, value] : before) keys.insert(key);
  for (const auto& [key, value] : now) keys.insert(key);
  Differences found;
  for (const std::string& key : keys) {
    const std::string was = value_of(before, key), is = value_of(now, key);
    if (was == is || is_free(key)) continue;
    if (!before.contains(key) && is_nothing(is)) continue;
    const OptionEntry* entry = table.find(key);
    if (entry != nullptr && entry->is_path && inputs.same_files(*entry, was, is)) continue;
    const std::string follows = may_change(key) ? consequence(key, now) : "";
    if (may_change(key) && follows.empty()) continue;
    (may_change(key) ? found.changes : found.refused).push_back(change(key, was, is));
    if (may_change(key)) found.reason = follows;
  }
  return found;
}

}  // namespace

void check_resumed_options(const fs::path& run, const std::string& config, const OptionTable& table,
                           bool allow_change) {
  const Settings before = settings_of(read_file(run / run_files::config)),
                 now = settings_of(config);
  ResumedInputs inputs(run);
  const Differences found = differences(before, now, table, inputs);
  if (!found.refused.empty()) {
    throw input_error("cannot resume the run of {}: its options differ: {}", run.string(),
                      join(found.refused, "; "))
        .with_hint("give the options of the first run, or start a new run in another --out");
  }
  const std::vector<std::string> others = inputs.other_data(table);
  if (!others.empty()) {
    if (!allow_change) {
      throw input_error("cannot resume the run of {} as it was: it began with other bytes in {}",
                        run.string(), join(others))
          .with_hint("bring the data of before back; --allow-change goes on with the present one");
    }
    warn("the run of {} goes on with other data than it began with: {}", run.string(),
         join(others));
  }
  if (found.changes.empty()) return;
  if (!allow_change) {
    throw input_error("cannot resume the run of {} as it was: {}: {}", run.string(),
                      join(found.changes, "; "), found.reason)
        .with_hint("--allow-change resumes it all the same");
  }
  warn("the run of {} goes on as another one: {}: {}", run.string(), join(found.changes, "; "),
       found.reason);
}

}  // namespace alambic
