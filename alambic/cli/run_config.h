// `alambic run config.toml`: what a run folder's own config.toml says, again.
#pragma once

#include <string>
#include <vector>

namespace alambic {

/// The command line that `alambic run WORDS…` stands for: the command that the first line of the
/// config.toml names ("# alambic train --config config.toml"), with it as --config and the other
/// words behind. A folder stands for the config.toml in it. Input errors: no file, or one without
/// such a line.
std::vector<std::string> words_of_run(const std::vector<std::string>& words);

}  // namespace alambic
