// Scripts that let a shell complete commands, options, choices and files, made from the table.
#pragma once

#include <string>
#include <vector>

#include "alambic/cli/commands.h"

namespace alambic {

/// Names of the shells that have a script.
const std::vector<std::string>& completion_shells();

/// The script for one of completion_shells(); an input error for any other shell.
std::string completion_script(const std::string& shell, const std::vector<Command>& commands);

}  // namespace alambic
