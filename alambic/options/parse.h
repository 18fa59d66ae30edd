// The command line of one command, laid over its configuration file.
#pragma once

#include <string>
#include <vector>

#include "alambic/options/options.h"

namespace alambic {

/// Flags that every command takes.
struct CommonFlags {
  bool help = false, offline = false, debug = false;
  std::string config;  ///< the file of --config; "" for none
};

/// Fills `options` from `arguments` (those after the command's name) and the file that `--config`
/// names; the command line wins. Takes `--key value`, `--key=value`, `--flag`, `--flag=false`, and
/// underscores for dashes. A word alone is the value of the option `folder`, where the command has
/// it. A word that is an option's value is never taken for a flag. With
/// `--help` or `-h` nothing is filled or refused. Throws an input error for an unknown option
/// (naming the nearest), one that is given twice and is no list, a bad value, a required option
/// that is missing, or a condition of the table that does not hold (conditions.h).
CommonFlags parse_options(const std::string& command, const std::vector<std::string>& arguments,
                          Options& options);

}  // namespace alambic
