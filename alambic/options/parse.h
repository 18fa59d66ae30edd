// The command line of one command, laid over its configuration file.
#pragma once

#include <string>
#include <vector>

#include "alambic/options/options.h"

namespace alambic {

/// Fills `options` from `arguments` (those after the command's name) and the file that `--config`
/// names; the command line wins. Takes `--key value`, `--key=value`, `--flag`, `--flag=false`, and
/// underscores for dashes; `--debug` is allowed and left to the caller. Throws an input error for
/// an unknown option (naming the nearest), a bad value, or a required option that is missing.
void parse_options(const std::string& command, const std::vector<std::string>& arguments,
                   Options& options);

}  // namespace alambic
