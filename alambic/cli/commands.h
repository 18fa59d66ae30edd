// The table of commands (commands.def) as data.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "alambic/options/options.h"

namespace alambic {

struct Command {
  std::string name;
  std::string summary;
  std::string group;
  std::unique_ptr<Options> options;      ///< at their defaults
  int (*run)(const Options&) = nullptr;  ///< null: the torch library runs it
};

std::vector<Command> all_commands();

}  // namespace alambic
