#include "alambic/cli/commands.h"

#include <utility>

#include "alambic/cli/all_options.h"
#include "alambic/cli/run.h"
#include "alambic/options/option_table.h"

namespace alambic {
namespace {

template <class CommandOptions>
int run_core(const Options& options) {
  return run(static_cast<const CommandOptions&>(options));
}

}  // namespace

std::vector<Command> all_commands() {
  std::vector<Command> commands;
  std::string group;
#define COMMAND_GROUP(title) group = title;
#define CORE_COMMAND(name, type, summary) \
  commands.push_back(                     \
      {with_dashes(#name), summary, group, std::make_unique<type>(), &run_core<type>});
#define TORCH_COMMAND(name, type, summary) \
  commands.push_back({with_dashes(#name), summary, group, std::make_unique<type>(), nullptr});
#define HIDDEN_TORCH_COMMAND(name, type)
#include "alambic/cli/commands.def"
#undef COMMAND_GROUP
#undef CORE_COMMAND
#undef TORCH_COMMAND
#undef HIDDEN_TORCH_COMMAND
  return commands;
}

}  // namespace alambic
