#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/stopwatch.h"
#include "alambic/cli/commands/selftest_options.h"
#include "alambic/cli/run.h"
#include "alambic/selftest/groups.h"
#include "alambic/tensor/device.h"

namespace alambic {
namespace {

using selftest::Property;
using selftest::Verdict;

void print(const Property& property, const Verdict& verdict) {
  fmt::print("{}  {}\n", verdict.holds ? "pass" : "FAIL", selftest::line_of(property));
  if (!verdict.holds) fmt::print("      {}\n", verdict.where);
  std::fflush(stdout);  // seconds pass between lines
}

nlohmann::ordered_json to_json(const Property& property, const Verdict& verdict) {
  return {{"id", property.id},      {"property", property.says}, {"prevents", property.prevents},
          {"holds", verdict.holds}, {"worst", verdict.where},    {"seconds", verdict.seconds}};
}

}  // namespace

int run(const SelftestOptions& options) {
  const std::vector<selftest::Group> groups = selftest::chosen_groups(options.only);
  if (groups.empty()) {
    throw input_error("--only {}: no property has this in its line or is called so", options.only)
        .with_hint("alambic selftest prints the lines");
  }
  set_threads(options.threads);
  const Stopwatch watch;
  int64_t held = 0, failed = 0;
  auto rows = nlohmann::ordered_json::array();
  for (const selftest::Group& group : groups) {
    if (!options.json) fmt::print("{}\n", group.title);
    for (const Property& property : group.properties) {
      const Verdict verdict = selftest::judge(property);
      ++(verdict.holds ? held : failed);
      if (options.json) {
        rows.push_back(to_json(property, verdict));
      } else {
        print(property, verdict);
      }
    }
  }
  if (options.json) {
    const nlohmann::ordered_json result = {
        {"held", held}, {"failed", failed}, {"seconds", watch.seconds()}, {"properties", rows}};
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print("{} properties hold, {} do not; {:.0f} s\n", held, failed, watch.seconds());
  }
  if (failed == 0) return 0;
  say("error: {} of {} properties do not hold here: do not trust what is trained on this machine",
      failed, held + failed);
  say("hint: please report the lines above with `alambic info`");
  return static_cast<int>(Exit::bug);
}

}  // namespace alambic
