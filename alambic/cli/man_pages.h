// The command line as man pages, in roff.
#pragma once

#include <string>
#include <vector>

#include "alambic/cli/commands.h"

namespace alambic {

/// alambic(1): the commands.
std::string man_page(const std::vector<Command>& commands);

/// alambic-NAME(1): the options of one command.
std::string man_page(const Command& command);

}  // namespace alambic
