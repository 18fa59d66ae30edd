#include <fmt/core.h>

#include <string>

#include "alambic/base/units.h"
#include "alambic/cli/commands/info_facts.h"
#include "alambic/cli/commands/info_options.h"
#include "alambic/cli/run.h"

namespace alambic {
namespace {

std::string shown(const std::string& name, const nlohmann::ordered_json& value) {
  if (name == "bytes") return human_bytes(value.get<double>());
  if (value.is_number_integer()) return with_separators(value.get<int64_t>());
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string items;
  for (const auto& item : value) items += (items.empty() ? "" : ", ") + shown("", item);
  return items;
}

}  // namespace

int run(const InfoOptions& options) {
  const nlohmann::ordered_json facts =
      options.model.empty() ? machine_facts() : model_facts(options.model);
  if (options.json) {
    fmt::print("{}\n", facts.dump());
    return 0;
  }
  for (const auto& [name, value] : facts.items()) {
    fmt::print("{:<16} {}\n", name, shown(name, value));
  }
  return 0;
}

}  // namespace alambic
