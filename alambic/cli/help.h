// `--help` of the program and of a command.
#pragma once

#include <string>
#include <vector>

#include "alambic/cli/commands.h"
#include "alambic/options/options.h"

namespace alambic {

std::string program_help(const std::vector<Command>& commands);

/// Groups, placeholders, defaults, bounds and choices of one command's options.
std::string command_help(const std::string& name, const std::string& summary,
                         const Options& options);

}  // namespace alambic
